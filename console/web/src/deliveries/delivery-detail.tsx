// One delivery: where it stands and every attempt.
import { useMutation, useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { Link } from 'wouter';
import { apiQuery, ApiError, request } from '../api/client.ts';
import { useFeed } from '../api/feed.ts';
import { queryClient } from '../api/queries.ts';
import { DeliveryDocument, RetryDeliveryDocument } from '../gql/graphql.ts';
import { now } from '../lib/clock.ts';
import { useMay } from '../lib/roles.ts';
import { useThrottled } from '../lib/throttle.ts';
import { duration, exactTime, plural, span } from '../lib/time.ts';
import { Badge, SeverityMark, StatusBadge } from '../ui/badges.tsx';
import { Button, IconButton, PlaygroundLink } from '../ui/button.tsx';
import { BackIcon, CloseIcon, RetryIcon } from '../ui/icons.tsx';
import { useTitle } from '../ui/page.tsx';
import { Empty, Failure, Loading, Problem } from '../ui/states.tsx';
import { Ago, Countdown } from '../ui/time.tsx';
import { kindName } from './deliveries-view.tsx';

const lasted = (ms: number) => (ms < 60_000 ? duration(ms) : span(ms));

export function DeliveryDetail({ id, onClose }: { id: string; onClose: () => void }) {
  const query = useQuery({ ...apiQuery(DeliveryDocument, { id }), staleTime: 0 });
  const again = useThrottled(() => void queryClient.invalidateQueries({ queryKey: ['Delivery', { id }] }), 400);
  useFeed((events) => {
    if (events.some((event) => event.delivery?.id === id)) again();
  });
  const analyst = useMay('ANALYST');
  const retry = useMutation({ mutationFn: () => request(RetryDeliveryDocument, { id }), onSuccess: again });
  const gone = query.error instanceof ApiError && query.error.code === 'NOT_FOUND';
  const delivery = gone ? undefined : query.data?.delivery;
  const title = useRef<HTMLHeadingElement>(null);
  const known = Boolean(delivery);
  useTitle(`Delivery ${id}`);
  useEffect(() => {
    if (known && matchMedia('(max-width: 1000px)').matches) title.current?.focus();
  }, [known]);

  return (
    <section className="delivery-detail" aria-label={`Delivery ${id}`}>
      <header>
        <IconButton className="back" label="Back to the list" icon={BackIcon} onClick={onClose} />
        <span className="muted">Delivery {id}</span>
        <div className="actions">
          <PlaygroundLink query={DeliveryDocument} variables={{ id }} />
          <IconButton className="close" label="Close" icon={CloseIcon} onClick={onClose} />
        </div>
      </header>
      <div className="delivery-body">
        {gone ? (
          <Empty title="There is no such delivery">
            <p>It was deleted, or it is older than what is kept.</p>
          </Empty>
        ) : query.error && !delivery ? (
          <Failure error={query.error} onRetry={() => void query.refetch()} />
        ) : !delivery ? (
          <Loading rows={6} />
        ) : (
          <>
            <div className="delivery-headline">
              <h2 ref={title} tabIndex={-1}>
                <SeverityMark severity={delivery.alert.severity} /> {delivery.alert.type}
              </h2>
              <p className="delivery-message" dir="auto">{delivery.alert.message}</p>
              <p className="delivery-standing">
                <StatusBadge status={delivery.status} attempts={delivery.attempts} />
                <span>
                  {delivery.kind !== 'ALERT' && `${kindName(delivery.kind)} `}to{' '}
                  {delivery.channel.deletedAt ? (
                    <>
                      {delivery.channel.name} <span className="muted">(deleted)</span>
                    </>
                  ) : (
                    <Link href={`/channels/${delivery.channel.id}`}>{delivery.channel.name}</Link>
                  )}
                </span>
                <Link href={`/alerts/${delivery.alert.id}`}>Alert {delivery.alert.id}</Link>
              </p>
              {delivery.error && <p className={delivery.status === 'FAILED' ? 'problem' : 'warning'}>{delivery.error}</p>}
              <dl className="delivery-facts">
                <div>
                  <dt>Created</dt>
                  <dd>
                    <Ago at={delivery.createdAt} />
                  </dd>
                </div>
                {delivery.completedAt && (
                  <div>
                    <dt>{delivery.status === 'DELIVERED' ? 'Delivered' : 'Ended'}</dt>
                    <dd>
                      <Ago at={delivery.completedAt} /> <span className="muted small">after {lasted(Date.parse(delivery.completedAt) - Date.parse(delivery.createdAt))}</span>
                    </dd>
                  </div>
                )}
                {delivery.status === 'PENDING' && (
                  <div>
                    <dt>Next attempt</dt>
                    <dd>{delivery.nextAttemptAt && Date.parse(delivery.nextAttemptAt) > now() ? <Countdown at={delivery.nextAttemptAt} /> : 'as soon as the channel takes it'}</dd>
                  </div>
                )}
                {delivery.digestSize !== null && (
                  <div>
                    <dt>Told together</dt>
                    <dd>in one message about {plural(delivery.digestSize, 'delivery', 'deliveries')}</dd>
                  </div>
                )}
              </dl>
              {analyst && delivery.status !== 'DELIVERED' && !delivery.channel.deletedAt && (
                <div>
                  <Button icon={RetryIcon} busy={retry.isPending} onClick={() => retry.mutate()}>
                    {delivery.status === 'PENDING' ? 'Try now' : 'Send again'}
                  </Button>
                  <Problem error={retry.error} />
                </div>
              )}
            </div>
            {delivery.recipients && delivery.recipients.length > 0 && (
              <section>
                <h3>Recipients</h3>
                <ul className="delivery-recipients">
                  {delivery.recipients.map(({ address, status, error, statusCode }) => (
                    <li key={address}>
                      <StatusBadge status={status} attempts={delivery.attempts} /> <span>{address}</span>
                      {error && (
                        <span className="attempt-why">
                          {statusCode !== null && `${statusCode}: `}
                          {error}
                        </span>
                      )}
                    </li>
                  ))}
                </ul>
              </section>
            )}
            <section>
              <h3>{delivery.attemptLog.length === 0 ? 'No attempt yet' : 'Attempts'}</h3>
              <ol className="attempts">
                {delivery.attemptLog.map((attempt) => (
                  <li key={attempt.number}>
                    <p className="attempt-head">
                      <Badge tone={attempt.error ? 'bad' : 'good'}>{`${attempt.number}. ${attempt.error ? 'Failed' : 'Worked'}`}</Badge>
                      <span className="small">
                        {attempt.statusCode !== null && `Status ${attempt.statusCode} · `}
                        {duration(attempt.durationMs)}
                        {attempt.digestSize !== null && ` · with ${attempt.digestSize} in one message`}
                      </span>
                      <time className="muted small" dateTime={attempt.startedAt}>
                        {exactTime(attempt.startedAt)}
                      </time>
                    </p>
                    {attempt.error && <p className="attempt-why">{attempt.error}</p>}
                    {attempt.response && (
                      <details className="answer">
                        <summary>What the other side answered</summary>
                        <pre tabIndex={0}>{attempt.response}</pre>
                      </details>
                    )}
                  </li>
                ))}
              </ol>
            </section>
          </>
        )}
      </div>
    </section>
  );
}
