import './tokens.css';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { apiQuery, request } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { session } from '../api/session.ts';
import { RevokeTokenDocument, TokensDocument, type TokensQuery } from '../gql/graphql.ts';
import { known, useParams } from '../lib/address.ts';
import { useNow } from '../lib/clock.ts';
import { useHotkeys } from '../lib/hotkeys.ts';
import { useStore } from '../lib/store.ts';
import { number } from '../lib/time.ts';
import { Badge } from '../ui/badges.tsx';
import { Button, PlaygroundLink } from '../ui/button.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { Choice } from '../ui/fields.tsx';
import { PlusIcon } from '../ui/icons.tsx';
import { Page } from '../ui/page.tsx';
import { SecretDialog } from '../ui/secret.tsx';
import { Empty, Failure, Loading } from '../ui/states.tsx';
import { Ago, Countdown } from '../ui/time.tsx';
import { toast } from '../ui/toast.tsx';
import { CreateTokenDialog } from './create-token.tsx';

type Token = TokensQuery['tokens'][number];

export const tokensChanged = () => queryClient.invalidateQueries({ queryKey: ['Tokens'] });

const isOver = ({ revokedAt, expiresAt }: Token, now: number) => revokedAt !== null || (expiresAt !== null && Date.parse(expiresAt) <= now);

const kinds = ['use', 'all'] as const;

export default function TokensView() {
  const [params, change] = useParams();
  const now = useNow();
  const query = useQuery({ ...apiQuery(TokensDocument), staleTime: 0, refetchInterval: 30_000 });
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<{ name: string; secret: string } | null>(null);
  const [revoked, setRevoked] = useState<Token | null>(null);
  const kind = known(params.getAll('show'), kinds)[0] ?? 'use';
  const all = query.data?.tokens ?? [];
  const shown = kind === 'all' ? all : all.filter((token) => !isOver(token, now));
  useHotkeys([{ keys: 'n', what: 'New token', group: 'Tokens', run: () => setMaking(true) }]);
  const { viewer } = useStore(session);

  return (
    <Page
      title="Tokens"
      count={query.data && number(shown.length)}
      actions={
        <>
          <Button kind="primary" className="icon-if-narrow" icon={PlusIcon} onClick={() => setMaking(true)}>
            New token
          </Button>
          <PlaygroundLink query={TokensDocument} />
        </>
      }
      filters={<Choice label="Which tokens" all={kinds} chosen={kind} onChange={(show) => change({ show: show === 'use' ? null : show })} show={(one) => (one === 'use' ? 'In use' : 'All')} />}
    >
      {query.isPending ? (
        <Loading />
      ) : query.error && !query.data ? (
        <Failure error={query.error} onRetry={() => void query.refetch()} />
      ) : shown.length === 0 ? (
        <Empty title={all.length === 0 ? 'There is no token yet' : 'No token is in use'}>
          <p>What reports alerts, and whoever looks at them, is let in by a token of its own. The one in ADMIN_TOKEN is not among them.</p>
          <Button kind="primary" onClick={() => setMaking(true)}>
            Make one
          </Button>
        </Empty>
      ) : (
        <div className="table-box">
          <table className="table tokens">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Role</th>
                <th scope="col">State</th>
                <th scope="col">Last used</th>
                <th scope="col">Ends</th>
                <th scope="col" className="number">
                  Alerts a minute
                </th>
                <th scope="col">Made</th>
                <th scope="col">
                  <span className="hidden">Revoke</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((token) => {
                const over = isOver(token, now);
                return (
                  <tr key={token.id} className={over ? 'over' : ''}>
                    <th scope="row" className="token-name">
                      {token.name}
                      {!over && token.name === viewer?.name && <span className="mine">yours</span>}
                    </th>
                    <td>{token.role}</td>
                    <td>{token.revokedAt ? <Badge tone="calm">Revoked</Badge> : over ? <Badge tone="calm">Expired</Badge> : <Badge tone="good">In use</Badge>}</td>
                    <td data-label="Last used">{token.lastUsedAt ? <Ago at={token.lastUsedAt} /> : <span className="muted">never</span>}</td>
                    <td data-label="Ends">
                      {token.revokedAt ? <Ago at={token.revokedAt} /> : !token.expiresAt ? <span className="muted">never</span> : over ? <Ago at={token.expiresAt} /> : <Countdown at={token.expiresAt} />}
                    </td>
                    <td data-label="Alerts a minute" className="number">
                      {token.alertsPerMinute === null ? <span className="muted">no limit</span> : number(token.alertsPerMinute)}
                    </td>
                    <td data-label="Made">
                      <Ago at={token.createdAt} />
                    </td>
                    <td className="revoke">
                      {!over && (
                        <Button kind="danger" aria-label={`Revoke ${token.name}`} onClick={() => setRevoked(token)}>
                          Revoke
                        </Button>
                      )}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
      {making && (
        <CreateTokenDialog
          onClose={() => setMaking(false)}
          onMade={(name, secret) => {
            setMaking(false);
            setMade({ name, secret });
          }}
        />
      )}
      {made && (
        <SecretDialog title={`The token ${made.name}`} what="Token" secret={made.secret} onClose={() => setMade(null)}>
          Whoever has it may do what its role may. Send it as <code>Authorization: Bearer</code> with the token behind it.
        </SecretDialog>
      )}
      {revoked && (
        <Confirm
          title={`Revoke ${revoked.name}?`}
          action="Revoke"
          danger
          onClose={() => setRevoked(null)}
          run={async () => {
            await request(RevokeTokenDocument, { id: revoked.id });
            toast(`${revoked.name} is revoked`);
            await tokensChanged();
          }}
        >
          <p>It ends at once and for good: what uses it is refused, and its streams close within 10 seconds.</p>
          {revoked.name === viewer?.name && <p className="warning">You are signed in with a token of this name: you will be signed out.</p>}
          {revoked.lastUsedAt && (
            <p>
              It was last used <Ago at={revoked.lastUsedAt} />.
            </p>
          )}
        </Confirm>
      )}
    </Page>
  );
}
