// The filter of the alerts: from the address, for the server, and as the server has it, for what comes in live.
import type { AlertFilter, AlertRowFragment } from '../gql/graphql.ts';
import { known } from '../lib/address.ts';
import { severities } from '../ui/badges.tsx';

export function filterOf(params: URLSearchParams): AlertFilter {
  const filter: AlertFilter = {};
  const chosen = known(params.getAll('severity'), severities);
  if (chosen.length > 0) filter.severities = chosen;
  const search = params.get('q');
  if (search) filter.search = search;
  return filter;
}

export function matches(filter: AlertFilter, alert: AlertRowFragment): boolean {
  const { severities, search } = filter;
  if (severities && !severities.includes(alert.severity)) return false;
  if (search) {
    const text = search.toLowerCase();
    if (!alert.type.toLowerCase().includes(text) && !alert.message.toLowerCase().includes(text)) return false;
  }
  return true;
}
