import { useMutation } from '@tanstack/react-query';
import { useId, useRef, useState } from 'react';
import { request } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { AcknowledgeAlertDocument, CommentAlertDocument, ReopenAlertDocument, ResolveAlertDocument } from '../gql/graphql.ts';
import { useHotkeys } from '../lib/hotkeys.ts';
import { useMay } from '../lib/roles.ts';
import { Button } from '../ui/button.tsx';
import { Problem } from '../ui/states.tsx';
import type { FullAlert } from './detail.tsx';

type Act = 'comment' | 'acknowledge' | 'resolve' | 'reopen';

// What was typed and not sent yet, by alert: who looks at another one meanwhile finds it again.
const drafts = new Map<string, string>();

// Writes a comment, or a note to what is done with the alert.
export function Composer({ alert: { id, state } }: { alert: FullAlert }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const label = useId();
  const [text, setText] = useState(drafts.get(id) ?? '');
  const write = (text: string) => {
    setText(text);
    if (text) drafts.set(id, text);
    else drafts.delete(id);
  };
  const analyst = useMay('ANALYST');
  const note = text.trim();
  const send = useMutation({
    mutationFn: async (act: Act) => {
      if (act === 'comment') await request(CommentAlertDocument, { id, text: note });
      else if (act === 'acknowledge') await request(AcknowledgeAlertDocument, { id, note });
      else if (act === 'resolve') await request(ResolveAlertDocument, { id, note });
      else await request(ReopenAlertDocument, { id, note });
    },
    onSuccess: () => write(''),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['Alert', { id }] }),
  });
  useHotkeys(analyst ? [{ keys: 'c', what: 'Comment', group: 'Alerts', run: () => field.current?.focus() }] : []);
  if (!analyst) return null;
  const busy = (act: Act) => send.isPending && send.variables === act;
  const act = (what: Act) => note && !send.isPending && send.mutate(what);
  const button = (what: Act, title: string) => (
    <Button busy={busy(what)} disabled={!note || send.isPending} onClick={() => act(what)}>
      {title}
    </Button>
  );
  return (
    <div className="composer">
      <label htmlFor={label} className="hidden">
        Comment or note
      </label>
      <textarea
        id={label}
        ref={field}
        rows={2}
        maxLength={10_000}
        value={text}
        placeholder="Write a comment, or a note to what you do"
        onChange={(event) => write(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) act('comment');
          else if (event.key === 'Escape') event.currentTarget.blur();
        }}
      />
      <Problem error={send.error} />
      <div className="composer-actions">
        {state === 'OPEN' && button('acknowledge', 'Acknowledge with this note')}
        {state !== 'RESOLVED' && button('resolve', 'Resolve with this note')}
        {state === 'RESOLVED' && button('reopen', 'Reopen with this note')}
        <Button kind="primary" busy={busy('comment')} disabled={!note || send.isPending} onClick={() => act('comment')} title="Ctrl+Enter">
          Comment
        </Button>
      </div>
    </div>
  );
}
