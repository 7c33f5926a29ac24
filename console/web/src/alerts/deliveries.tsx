import { useMutation } from '@tanstack/react-query';
import { request } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { RetryDeliveryDocument } from '../gql/graphql.ts';
import { useMay } from '../lib/roles.ts';
import { plural } from '../lib/time.ts';
import { StatusBadge } from '../ui/badges.tsx';
import { Button } from '../ui/button.tsx';
import { RetryIcon } from '../ui/icons.tsx';
import { Problem } from '../ui/states.tsx';
import { Countdown } from '../ui/time.tsx';
import type { FullAlert } from './detail.tsx';
import { channelTypeNames, reasons, told } from './words.ts';

type Delivery = FullAlert['deliveries'][number];

// Where each channel stands that is told, and why the others are not.
export function Deliveries({ alert }: { alert: FullAlert }) {
  const { deliveries, routing } = alert;
  const others = routing.filter(({ willNotify }) => !willNotify);
  return (
    <section aria-labelledby="who">
      <h3 id="who">Who is told</h3>
      {deliveries.length === 0 && <p className="muted">{routing.length === 0 ? 'Nobody: there was no channel.' : 'Nobody.'}</p>}
      {deliveries.length > 0 && (
        <ul className="deliveries">
          {deliveries.map((delivery) => (
            <DeliveryLine key={delivery.id} delivery={delivery} alertID={alert.id} />
          ))}
        </ul>
      )}
      {others.length > 0 && (
        <details className="not-told">
          <summary>{plural(others.length, 'channel was', 'channels were')} not told, and why</summary>
          <ul>
            {others.map(({ channel, reason }) => (
              <li key={channel.id}>
                <strong>{channel.name}</strong> <span className="muted">{channelTypeNames[channel.type]}</span>
                <p>{reasons[reason]}</p>
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function DeliveryLine({ delivery, alertID }: { delivery: Delivery; alertID: string }) {
  const { id, channel, kind, status, attempts, error, recipients } = delivery;
  const analyst = useMay('ANALYST');
  const retry = useMutation({
    mutationFn: () => request(RetryDeliveryDocument, { id }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['Alert', { id: alertID }] }),
  });
  const waits = status === 'PENDING';
  const offered = analyst && (status === 'FAILED' || status === 'CANCELLED' || (waits && attempts > 0));
  return (
    <li className={status.toLowerCase()}>
      <div className="delivery-line">
        <span className="channel">
          <strong>{channel.name}</strong>{' '}
          <span className="muted">
            {channelTypeNames[channel.type]}
            {kind !== 'ALERT' && `, ${told[kind]}`}
          </span>
        </span>
        <span className="standing">
          <span className="muted">{waits ? <Expected delivery={delivery} /> : attempts > 0 && plural(attempts, 'attempt')}</span>
          <StatusBadge status={status} attempts={attempts} />
          {offered && (
            <Button icon={RetryIcon} busy={retry.isPending} onClick={() => retry.mutate()} aria-label={`Retry ${channel.name} now`}>
              {waits ? 'Retry now' : 'Retry'}
            </Button>
          )}
        </span>
      </div>
      {error && <p className="delivery-error">{error}</p>}
      {recipients && recipients.some((one) => one.status !== 'DELIVERED') && (
        <ul className="recipients">
          {recipients.map((one) => (
            <li key={one.address}>
              {one.address} <StatusBadge status={one.status} attempts={attempts} /> {one.error && <span className="muted">{one.error}</span>}
            </li>
          ))}
        </ul>
      )}
      <Problem error={retry.error} />
    </li>
  );
}

// What a delivery waits for, and when it is tried next.
export function Expected({ delivery: { channel, nextAttemptAt } }: { delivery: Delivery }) {
  const { state, nextProbeAt, heldUntil } = channel.health;
  if (state === 'PAUSED' || state === 'BROKEN') {
    return (
      <>
        {state === 'PAUSED' ? 'the channel is out of service' : 'the channel must be mended'}
        {nextProbeAt && (
          <>
            , tried again <Countdown at={nextProbeAt} />
          </>
        )}
      </>
    );
  }
  const next = heldUntil && (!nextAttemptAt || heldUntil > nextAttemptAt) ? heldUntil : nextAttemptAt;
  if (!next) return 'being sent';
  return (
    <>
      next attempt <Countdown at={next} />
    </>
  );
}
