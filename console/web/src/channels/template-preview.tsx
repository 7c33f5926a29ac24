// What a webhook's body template makes of an alert, beside the editor, while it is written.
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { apiQuery, ApiError } from '../api/client.ts';
import { PreviewWebhookBodyDocument } from '../gql/graphql.ts';
import { DeliveryKindValues } from '../gql/enums.ts';
import { Select } from '../ui/fields.tsx';
import { titled } from './words.ts';

const kinds = [...DeliveryKindValues, 'DIGEST'] as const;

export function TemplatePreview({ template }: { template: string }) {
  const [kind, setKind] = useState<(typeof kinds)[number]>('ALERT');
  const settled = useSettled(template, 400);
  const variables = { template: settled, kind: kind === 'DIGEST' ? ('ALERT' as const) : kind, digest: kind === 'DIGEST' };
  const asked = settled.trim() !== '';
  const { data, error, isPlaceholderData } = useQuery({ ...apiQuery(PreviewWebhookBodyDocument, variables), enabled: asked, placeholderData: keepPreviousData, gcTime: 60_000 });
  const body = data?.previewWebhookBody;
  return (
    <section className="preview" aria-label="Preview of the body">
      <header>
        <span className="label">Preview</span>
        <Select label="Preview what is told of" all={kinds} chosen={kind} onChange={setKind} show={(one) => (one === 'DIGEST' ? 'A digest' : titled(one))} />
      </header>
      <div className="preview-body" role="status">
        {!asked ? (
          <p className="muted small">Nothing here: the usual JSON is sent.</p>
        ) : error ? (
          <p className="fault">{error instanceof ApiError && error.field ? error.message.slice(error.field.length + 2) : error.message}</p>
        ) : body !== undefined ? (
          <>
            <pre tabIndex={0} className={isPlaceholderData ? 'old' : ''}>
              {body}
            </pre>
            <p className="muted small">{isJSON(body) ? 'This is JSON.' : 'This is not JSON: the headers must name another Content-Type.'}</p>
          </>
        ) : (
          <p className="muted small">…</p>
        )}
      </div>
    </section>
  );
}

function isJSON(text: string) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

// The value once it has not changed for so many ms.
function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
