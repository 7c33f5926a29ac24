// The fields of a form that is drawn from what the server tells of a channel type.
import { useId, useRef, type ReactNode } from 'react';
import { Button, IconButton } from '../ui/button.tsx';
import { Field, FieldNotes, notes, type Fault } from '../ui/form.tsx';
import { CloseIcon, PlusIcon } from '../ui/icons.tsx';
import type { FieldInfo, Value } from './settings.ts';

function Group({ id, label, optional, help, fault, note, children }: Parameters<typeof Field>[0]) {
  return (
    <fieldset className="field" aria-describedby={notes(id, fault)}>
      <legend className="label">
        {label}
        {optional && <span className="optional">optional</span>}
        {note}
      </legend>
      {children}
      <FieldNotes id={id} help={help} fault={fault} />
    </fieldset>
  );
}

// Any field, by its kind. `saved` is what the channel has now: a secret that is still as it was shown stays as it is.
export function SettingField({ field, value, saved, fault, onChange, beside }: {
  field: FieldInfo;
  value: Value;
  saved: Value | undefined;
  fault: Fault | undefined;
  onChange: (value: Value) => void;
  beside?: ReactNode;
}) {
  const id = useId();
  const kept = field.secret && field.kind !== 'MAP' && typeof value === 'string' && value !== '' && value === saved;
  const common = {
    id,
    label: field.title,
    optional: !field.required,
    help: field.help,
    fault,
    note: field.secret && <span className={kept ? 'secret kept' : 'secret'}>{kept ? 'kept as it is' : 'secret'}</span>,
  };
  const input = {
    id,
    'aria-invalid': fault ? true : undefined,
    'aria-describedby': notes(id, fault),
    'aria-required': field.required || undefined,
    placeholder: field.example,
    autoComplete: 'off',
    autoCapitalize: 'off',
    spellCheck: false,
  } as const;
  switch (field.kind) {
    case 'LIST':
      return (
        <Group {...common}>
          <ListInput label={field.title} example={field.example} list={value as string[]} fault={fault} onChange={onChange} />
        </Group>
      );
    case 'MAP':
      return (
        <Group {...common}>
          <MapInput label={field.title} example={field.example} pairs={value as [string, string][]} saved={field.secret ? (saved as [string, string][] | undefined) : undefined} fault={fault} onChange={onChange} />
        </Group>
      );
    case 'LONG_TEXT':
      return (
        <Field {...common}>
          <div className={beside ? 'beside' : undefined}>
            <textarea {...input} className="code" rows={9} value={value as string} onChange={(event) => onChange(event.target.value)} />
            {beside}
          </div>
        </Field>
      );
    default:
      return (
        <Field {...common}>
          <input
            {...input}
            type="text"
            value={value as string}
            onChange={(event) => onChange(event.target.value)}
            onFocus={(event) => kept && event.target.select()} // a new one replaces the whole of it
          />
        </Field>
      );
  }
}

// A list of texts, one in a line. What is pasted with commas or in lines becomes several.
export function ListInput({ label, example, list, fault, onChange, addLabel = 'Add another' }: { label: string; example: string; list: string[]; fault: Fault | undefined; onChange: (list: string[]) => void; addLabel?: string }) {
  const box = useRef<HTMLDivElement>(null);
  const focus = (index: number) => setTimeout(() => box.current?.querySelectorAll('input')[index]?.focus());
  const write = (index: number, text: string) => onChange(list.map((one, at) => (at === index ? text : one)));
  const add = () => {
    onChange([...list, '']);
    focus(list.length);
  };
  // The server counts those that are sent: the empty ones are not.
  const places = list.map((text, index) => (text.trim() ? list.slice(0, index).filter((one) => one.trim()).length : -1));
  return (
    <div className="lines" ref={box}>
      {list.map((text, index) => (
        <div className="line" key={index}>
          <input
            type="text"
            aria-label={`${label} ${index + 1}`}
            aria-invalid={fault && (fault.at === undefined || Number(fault.at) === places[index]) ? true : undefined}
            value={text}
            placeholder={index === 0 ? example : ''}
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            onChange={(event) => write(index, event.target.value)}
            onKeyDown={(event) => {
              if (event.key !== 'Enter' || event.nativeEvent.isComposing) return;
              event.preventDefault();
              if (text.trim()) add();
            }}
            onPaste={(event) => {
              const pasted = event.clipboardData.getData('text').split(/[\n,;]+/).map((one) => one.trim()).filter(Boolean);
              if (pasted.length < 2 || text) return;
              event.preventDefault();
              onChange([...list.slice(0, index), ...pasted, ...list.slice(index + 1)]);
              focus(index + pasted.length - 1);
            }}
          />
          <IconButton
            label={`Remove ${text || `${label} ${index + 1}`}`}
            icon={CloseIcon}
            disabled={list.length === 1 && !text}
            onClick={() => {
              onChange(list.length === 1 ? [''] : list.filter((_, at) => at !== index));
              focus(Math.max(0, index - 1));
            }}
          />
        </div>
      ))}
      <Button kind="quiet" className="add" icon={PlusIcon} onClick={add}>
        {addLabel}
      </Button>
    </div>
  );
}

// The example of a MAP is a JSON object.
function firstOf(example: string): [string, string] {
  try {
    return Object.entries(JSON.parse(example) as Record<string, string>)[0] ?? ['', ''];
  } catch {
    return ['', example];
  }
}

function MapInput({ label, example, pairs, saved, fault, onChange }: { label: string; example: string; pairs: [string, string][]; saved: [string, string][] | undefined; fault: Fault | undefined; onChange: (pairs: [string, string][]) => void }) {
  const box = useRef<HTMLDivElement>(null);
  const [exampleName, exampleValue] = firstOf(example);
  const write = (index: number, pair: [string, string]) => onChange(pairs.map((one, at) => (at === index ? pair : one)));
  return (
    <div className="lines" ref={box}>
      {pairs.map(([name, value], index) => {
        const kept = value !== '' && saved?.some(([savedName, savedValue]) => savedName === name && savedValue === value);
        const wrong = fault && (fault.at === undefined || fault.at.toLowerCase() === name.trim().toLowerCase()) ? true : undefined;
        return (
          <div className="line pair" key={index}>
            <input type="text" aria-label={`${label}: name ${index + 1}`} aria-invalid={wrong} value={name} placeholder={exampleName} autoComplete="off" autoCapitalize="off" spellCheck={false} onChange={(event) => write(index, [event.target.value, value])} />
            <input
              type="text"
              aria-label={`${label}: value of ${name || index + 1}`}
              aria-invalid={wrong}
              title={kept ? 'Kept as it is' : undefined}
              value={value}
              placeholder={exampleValue}
              autoComplete="off"
              autoCapitalize="off"
              spellCheck={false}
              onFocus={(event) => kept && event.target.select()}
              onChange={(event) => write(index, [name, event.target.value])}
            />
            <IconButton label={`Remove ${name || `${label} ${index + 1}`}`} icon={CloseIcon} onClick={() => onChange(pairs.filter((_, at) => at !== index))} />
          </div>
        );
      })}
      <Button
        kind="quiet"
        className="add"
        icon={PlusIcon}
        onClick={() => {
          onChange([...pairs, ['', '']]);
          setTimeout(() => box.current?.querySelectorAll<HTMLInputElement>('.pair:last-of-type input')[0]?.focus());
        }}
      >
        {pairs.length === 0 ? 'Add one' : 'Add another'}
      </Button>
    </div>
  );
}
