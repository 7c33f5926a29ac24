// Addresses of the lists, with a filter.
type Value = string | readonly string[] | null | undefined;
type AlertsLink = { state?: Value; severity?: Value; type?: Value; rustbucket?: Value; silence?: Value; from?: Value; to?: Value };
type DeliveriesLink = { status?: Value; channel?: Value; from?: Value; to?: Value };
type SilencesLink = { types?: Value; severities?: Value; rustbucket?: Value };

const path = (view: string, params: Record<string, Value>) => {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) for (const one of [value ?? []].flat()) search.append(name, one);
  const text = search.toString();
  return text ? `${view}?${text}` : view;
};

export const alertsLink = (params: AlertsLink) => path('/alerts', params);
export const deliveriesLink = (params: DeliveriesLink) => path('/deliveries', params);
// The form of a new silence, filled in.
export const silencesLink = (params: SilencesLink) => path('/silences', params);
