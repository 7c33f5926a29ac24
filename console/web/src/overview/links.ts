// The lists behind the figures, as their addresses have it.
export type AlertsLink = { state?: string; severity?: string; type?: string; rustbucket?: string; from?: string; to?: string; silenced?: string };
export type DeliveriesLink = { status?: string; channel?: string; from?: string; to?: string };

const path = (view: string, params: Record<string, string | undefined>) => {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== undefined) search.set(name, value);
  const text = search.toString();
  return text ? `${view}?${text}` : view;
};

export const alertsLink = (params: AlertsLink) => path('/alerts', params);
export const deliveriesLink = (params: DeliveriesLink) => path('/deliveries', params);
