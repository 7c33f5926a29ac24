// The views, in the order of the navigation. A view is added here, and its path in ../../console.go; README.md tells the rest.
import { lazy, type ComponentType } from 'react';
import type { Role } from './gql/graphql.ts';
import { BellIcon, ChannelIcon, ChartIcon, DeliveryIcon, KeyIcon, LogIcon, ServerIcon, SilenceIcon, type Icon } from './ui/icons.tsx';

export type ViewProps = {
  id: string | undefined; // what is open: the part of the path behind the view's own
};

export type View = {
  path: string;
  title: string;
  icon: Icon;
  key: string; // g, then this key, goes there
  roles?: Role[]; // who sees it, beside ADMIN; left out = everybody who may read
  component: ComponentType<ViewProps>;
};

export const views: View[] = [
  { path: '/alerts', title: 'Alerts', icon: BellIcon, key: 'a', component: lazy(() => import('./alerts/alerts-view.tsx')) },
  { path: '/overview', title: 'Overview', icon: ChartIcon, key: 'o', component: lazy(() => import('./overview/overview-view.tsx')) },
  { path: '/channels', title: 'Channels', icon: ChannelIcon, key: 'c', component: lazy(() => import('./channels/channels-view.tsx')) },
  { path: '/deliveries', title: 'Deliveries', icon: DeliveryIcon, key: 'd', component: lazy(() => import('./deliveries/deliveries-view.tsx')) },
  { path: '/silences', title: 'Silences', icon: SilenceIcon, key: 's', component: lazy(() => import('./silences/silences-view.tsx')) },
  { path: '/rustbuckets', title: 'Rustbuckets', icon: ServerIcon, key: 'r', component: lazy(() => import('./rustbuckets/rustbuckets-view.tsx')) },
  { path: '/tokens', title: 'Tokens', icon: KeyIcon, key: 't', roles: [], component: lazy(() => import('./tokens/tokens-view.tsx')) },
  { path: '/audit', title: 'Audit', icon: LogIcon, key: 'l', roles: [], component: lazy(() => import('./audit/audit-view.tsx')) },
];

export const mayView = (view: View, role: Role) => role === 'ADMIN' || !view.roles || view.roles.includes(role);
