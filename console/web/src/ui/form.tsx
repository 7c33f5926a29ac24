// The fields of a form, each with its help and with what is wrong with it.
import type { ReactNode } from 'react';
import { ApiError } from '../api/client.ts';

// What is wrong with a field. Of a LIST: the place of the entry at fault, of a MAP its name; undefined = with all of it.
export type Fault = { message: string; at?: string | undefined };

export function Field({ id, label, optional = false, help, fault, note, children }: { id: string; label: string; optional?: boolean; help?: ReactNode; fault?: Fault | undefined; note?: ReactNode; children: ReactNode }) {
  return (
    <div className="field">
      <label htmlFor={id}>
        {label}
        {optional && <span className="optional">optional</span>}
        {note}
      </label>
      {children}
      <FieldNotes id={id} help={help} fault={fault} />
    </div>
  );
}

export function FieldNotes({ id, help, fault }: { id: string; help: ReactNode; fault: Fault | undefined }) {
  return (
    <>
      <p className="fault" id={`${id}-fault`} role="alert">
        {fault?.message}
      </p>
      {help && (
        <p className="help" id={`${id}-help`}>
          {help}
        </p>
      )}
    </>
  );
}

export const notes = (id: string, fault: Fault | undefined) => `${fault ? `${id}-fault ` : ''}${id}-help`;

// What the API says of the input at this path, without the path: "input.name", or just "name".
export function faultAt(error: Error | null, path: string): Fault | undefined {
  if (!(error instanceof ApiError) || error.field === undefined) return undefined;
  const at = error.field.replace(/^input\./, '');
  if (at !== path && !at.startsWith(`${path}.`)) return undefined;
  const message = error.message.slice(error.field.length + 2);
  return { message: message.charAt(0).toUpperCase() + message.slice(1), at: at === path ? undefined : at.slice(path.length + 1) };
}
