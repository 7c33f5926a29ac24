// What an entry of the audit log says was changed: from -> to where it was something before.
import { exactTime } from '../lib/time.ts';

export function Changes({ changes }: { changes: Record<string, unknown> }) {
  return (
    <dl className="changes">
      {Object.entries(changes)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([name, change]) => (isChange(change) ? pairs(name, change.from, change.to) : [{ name, to: change }]))
        .map(({ name, ...change }) => (
          <div key={name}>
            <dt>{words(name)}</dt>
            <dd>
              {'from' in change && (
                <>
                  <del>
                    <Value value={change.from} />
                  </del>
                  <span className="arrow">
                    <span aria-hidden="true">→</span>
                    <span className="hidden">became</span>
                  </span>
                </>
              )}
              <ins>
                <Value value={change.to} />
              </ins>
            </dd>
          </div>
        ))}
    </dl>
  );
}

type Change = { from: unknown; to: unknown };
type Line = { name: string; from?: unknown; to: unknown };

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isChange = (value: unknown): value is Change => isObject(value) && Object.keys(value).length === 2 && 'from' in value && 'to' in value;

// Of two objects only what differs between them: a config has many fields, and one was changed.
function pairs(name: string, from: unknown, to: unknown): Line[] {
  if (!isObject(from) || !isObject(to)) return [{ name, from, to }];
  const fields = [...new Set([...Object.keys(from), ...Object.keys(to)])].filter((field) => JSON.stringify(from[field]) !== JSON.stringify(to[field]));
  return fields.map((field) => ({ name: `${name}.${field}`, from: from[field], to: to[field] }));
}

// "minSeverity": "min severity".
export const words = (name: string) => name.replace(/([a-z])([A-Z])/g, '$1 $2').replaceAll('.', ': ').toLowerCase();

function Value({ value }: { value: unknown }) {
  if (value === null || value === undefined || value === '') return <span className="muted">none</span>;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(value) && !Number.isNaN(Date.parse(value)) ? exactTime(value) : value;
  if (Array.isArray(value)) {
    if (value.length === 0) return <span className="muted">none</span>;
    return value.map((one) => (typeof one === 'object' ? JSON.stringify(one) : String(one))).join(', ');
  }
  const fields = Object.entries(value as Record<string, unknown>);
  if (fields.length === 0) return <span className="muted">none</span>;
  return (
    <span className="change-fields">
      {fields.map(([name, one]) => (
        <span key={name}>
          <span className="muted">{words(name)}:</span> <Value value={one} />
        </span>
      ))}
    </span>
  );
}
