// What is done with all deliveries that match the filter.
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { apiQuery, request } from '../api/client.ts';
import { CancelDeliveriesDocument, DeliveryCountsDocument, RetryDeliveriesDocument, type DeliveryFilter } from '../gql/graphql.ts';
import { now } from '../lib/clock.ts';
import { useMay } from '../lib/roles.ts';
import { number, plural } from '../lib/time.ts';
import { Button, IconButton } from '../ui/button.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { CloseIcon, RetryIcon } from '../ui/icons.tsx';
import { toast } from '../ui/toast.tsx';
import type { Counts } from './deliveries-view.tsx';
import { ofStatus } from './filter.ts';

// A retry of many that is under way: how many, and what there was before of the deliveries that the filter matches.
export type Job = { at: number; count: number; filter: DeliveryFilter; before: Counts };

const countsOf = (filter: DeliveryFilter) => ({ pending: ofStatus(filter, 'PENDING'), failed: ofStatus(filter, 'FAILED') });
const many = (n: number) => plural(n, 'delivery', 'deliveries');

export function BulkActions({ filter, counts, onJob }: { filter: DeliveryFilter; counts: Counts; onJob: (job: Job) => void }) {
  const analyst = useMay('ANALYST');
  const admin = useMay('ADMIN');
  const [dialog, setDialog] = useState<'retry' | 'cancel' | null>(null);
  const close = () => setDialog(null);
  const which = Object.keys(filter).some((name) => name !== 'statuses') ? 'that match the filter' : 'there are';
  return (
    <>
      {analyst && counts.failed > 0 && (
        <Button icon={RetryIcon} aria-label={`Retry ${number(counts.failed)} failed`} onClick={() => setDialog('retry')}>
          {`Retry ${number(counts.failed)}`}
          <span className="if-wide"> failed</span>
        </Button>
      )}
      {admin && counts.pending > 0 && <Button className="icon-if-narrow" icon={CloseIcon} onClick={() => setDialog('cancel')}>{`Cancel ${number(counts.pending)} waiting`}</Button>}
      {dialog === 'retry' && (
        <Confirm
          title={`Retry ${many(counts.failed)}?`}
          action="Retry all"
          onClose={close}
          run={async () => {
            // What comes in from now on has no part in it.
            const at = now();
            const those = filter.createdBefore ? filter : { ...filter, createdBefore: new Date(at).toISOString() };
            const before = await request(DeliveryCountsDocument, countsOf(those));
            const { retryDeliveries } = await request(RetryDeliveriesDocument, { filter: ofStatus(those, 'FAILED') });
            onJob({ at, count: retryDeliveries, filter: those, before: { pending: before.pending.totalCount, failed: before.failed.totalCount } });
          }}
        >
          <p>All failed deliveries {which} are sent again, each from the start of its schedule. Those to channels that are off or deleted stay as they are.</p>
        </Confirm>
      )}
      {dialog === 'cancel' && (
        <Confirm
          title={`Cancel ${many(counts.pending)}?`}
          action="Cancel them"
          danger
          onClose={close}
          run={async () => {
            const { cancelDeliveries } = await request(CancelDeliveriesDocument, { filter: ofStatus(filter, 'PENDING') });
            toast(cancelDeliveries === 1 ? '1 delivery is cancelled' : `${many(cancelDeliveries)} are cancelled`);
          }}
        >
          <p>All deliveries {which} and wait now are not sent any more. One that is being sent at this moment is cancelled unless that attempt works.</p>
        </Confirm>
      )}
    </>
  );
}

const within = (n: number, most: number) => Math.min(Math.max(n, 0), most);

// How far a retry has come, until nothing of it waits any more.
export function BulkProgress({ job, onClose }: { job: Job; onClose: () => void }) {
  const { count, filter, before } = job;
  const [ended, setEnded] = useState(count === 0);
  const { data } = useQuery({ ...apiQuery(DeliveryCountsDocument, countsOf(filter)), queryKey: ['RetryProgress', job.at], staleTime: 0, gcTime: 0, refetchInterval: ended ? false : 1000, enabled: count > 0 });
  const waiting = data ? within(data.pending.totalCount - before.pending, count) : count;
  const failed = data ? within(data.failed.totalCount - (before.failed - count), count - waiting) : 0;
  const over = data !== undefined && waiting === 0;
  useEffect(() => {
    if (over) setEnded(true);
  }, [over]);
  const parts = [
    `${number(count - waiting - failed)} delivered`,
    ...(failed > 0 ? [`${number(failed)} failed again`] : []),
    ...(waiting > 0 ? [`${number(waiting)} still ${waiting === 1 ? 'waits' : 'wait'}`] : []),
  ];
  return (
    <section className="delivery-progress" aria-label="Retry">
      <div>
        <p role="status">
          {count === 0 ? (
            'There was nothing to send again: the channels are off or deleted.'
          ) : (
            <>
              <strong>{many(count)} sent again:</strong> {data ? `${parts.join(', ')}.` : '…'}
            </>
          )}
        </p>
        <IconButton label="Close" icon={CloseIcon} onClick={onClose} />
      </div>
      {count > 0 && <progress className="progress" aria-label="Done" max={count} value={count - waiting} />}
    </section>
  );
}
