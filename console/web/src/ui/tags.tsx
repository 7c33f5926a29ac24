// A field that takes several values. Enter or a comma adds what was typed, Backspace takes the last one back.
import { useId, useRef, useState } from 'react';
import { CloseIcon, PlusIcon } from './icons.tsx';

export type Suggestion = { value: string; note?: string | undefined };

export function TagField({ label, help, placeholder, values, onChange, suggestions, onType, isInvalid = false }: {
  label: string;
  help?: string;
  placeholder: string;
  values: string[];
  onChange: (values: string[]) => void;
  suggestions: Suggestion[]; // those that are chosen already are left out
  onType?: (text: string) => void;
  isInvalid?: boolean;
}) {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const [text, setText] = useState('');
  const write = (next: string) => {
    setText(next);
    onType?.(next.trim());
  };
  const add = (value: string) => {
    if (value && !values.includes(value)) onChange([...values, value]);
    write('');
  };
  const wanted = text.trim().toLowerCase();
  const offered = suggestions
    .filter(({ value, note = '' }) => !values.includes(value) && (value.toLowerCase().includes(wanted) || note.toLowerCase().includes(wanted)))
    .slice(0, 5);
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <div className="tag-field" aria-invalid={isInvalid || undefined} onClick={(event) => event.target === event.currentTarget && field.current?.focus()}>
        {values.map((value) => (
          <span key={value} className="chip">
            <span>{value}</span>
            <button
              type="button"
              aria-label={`Remove ${value}`}
              onClick={() => {
                onChange(values.filter((one) => one !== value));
                field.current?.focus();
              }}
            >
              <CloseIcon width="12" height="12" />
            </button>
          </span>
        ))}
        <input
          ref={field}
          id={id}
          value={text}
          maxLength={255}
          placeholder={values.length === 0 ? placeholder : ''}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          aria-describedby={help && `${id}h`}
          aria-invalid={isInvalid || undefined}
          onChange={(event) => write(event.target.value)}
          onBlur={() => add(text.trim())}
          onKeyDown={(event) => {
            if ((event.key === 'Enter' || event.key === ',') && text.trim() && !event.nativeEvent.isComposing) {
              event.preventDefault();
              add(text.trim());
            } else if (event.key === 'Backspace' && text === '' && values.length > 0) onChange(values.slice(0, -1));
          }}
        />
      </div>
      {offered.length > 0 && (
        <ul className="tag-suggestions" aria-label={`${label}: suggestions`}>
          {offered.map(({ value, note }) => (
            <li key={value}>
              {/* Pressed before the field loses the focus, which would add what is half typed. */}
              <button type="button" onMouseDown={(event) => event.preventDefault()} onClick={() => add(value)}>
                <PlusIcon width="11" height="11" />
                <span>{value}</span>
                {note && note !== value && <span className="muted">{note}</span>}
              </button>
            </li>
          ))}
        </ul>
      )}
      {help && (
        <p id={`${id}h`} className="help">
          {help}
        </p>
      )}
    </div>
  );
}
