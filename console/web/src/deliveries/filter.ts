// The filter of the deliveries: from the address, for the server, and as the server has it, for what comes in live.
import type { DeliveryAlertFragment, DeliveryFilter, DeliveryRowFragment, DeliveryStatus } from '../gql/graphql.ts';
import { known } from '../lib/address.ts';
import { periodOf } from '../lib/period.ts';

export type Delivery = DeliveryRowFragment & { alert: DeliveryAlertFragment };

export const statuses: DeliveryStatus[] = ['PENDING', 'DELIVERED', 'FAILED', 'CANCELLED'];
export const statusNames: Record<DeliveryStatus, string> = { PENDING: 'Waiting', DELIVERED: 'Delivered', FAILED: 'Failed', CANCELLED: 'Cancelled' };

const isId = (text: string | null): text is string => text !== null && /^[1-9]\d{0,17}$/.test(text);

export function filterOf(params: URLSearchParams, now: number): DeliveryFilter {
  const filter: DeliveryFilter = {};
  const chosen = known(params.getAll('status'), statuses);
  if (chosen.length > 0) filter.statuses = chosen;
  const channel = params.get('channel');
  if (isId(channel)) filter.channelId = channel;
  const alert = params.get('alert');
  if (isId(alert)) filter.alertId = alert;
  const { from, to } = periodOf(params, now);
  if (from) filter.createdAfter = from;
  if (to) filter.createdBefore = to;
  return filter;
}

export function matches(filter: DeliveryFilter, delivery: Delivery): boolean {
  const { statuses, channelId, alertId, createdAfter, createdBefore } = filter;
  const at = Date.parse(delivery.createdAt);
  return (
    (!statuses || statuses.includes(delivery.status)) &&
    (!channelId || delivery.channel.id === channelId) &&
    (!alertId || delivery.alert.id === alertId) &&
    (!createdAfter || at >= Date.parse(createdAfter)) &&
    (!createdBefore || at < Date.parse(createdBefore))
  );
}

// The same filter for one status; for all there are the server wants it named.
export const ofStatus = (filter: DeliveryFilter, status: DeliveryStatus): DeliveryFilter => ({ ...filter, statuses: [status] });

// Whether the filter shows this status.
export const shows = (filter: DeliveryFilter, status: DeliveryStatus) => !filter.statuses || filter.statuses.includes(status);
