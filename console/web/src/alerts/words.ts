// What the API says in capitals, in words.
import type { AlertEventKind, AlertState, ChannelType, DeliveryKind, RoutingReason } from '../gql/graphql.ts';

export const stateNames: Record<AlertState, string> = { OPEN: 'Open', ACKNOWLEDGED: 'Acknowledged', RESOLVED: 'Resolved' };

export const channelTypeNames: Record<ChannelType, string> = {
  EMAIL: 'Email',
  SLACK: 'Slack',
  WEBHOOK: 'Webhook',
  PAGERDUTY: 'PagerDuty',
  OPSGENIE: 'Opsgenie',
  TEAMS: 'Teams',
  DISCORD: 'Discord',
};

export const reasons: Record<RoutingReason, string> = {
  MATCHED: 'The alert matches the channel.',
  NOTIFY_FALSE: 'Whoever reported the alert wanted nobody to be told (notify: false).',
  DUPLICATE: 'An open alert with the same key was counted up instead.',
  CHANNEL_INACTIVE: 'The channel was switched off.',
  BELOW_MIN_SEVERITY: 'The alert was not bad enough for the channel.',
  TYPE_NOT_SELECTED: 'The channel takes certain types of alert, and this type is not among them.',
  ABOUT_ITSELF: 'The alert is about this very channel.',
  SILENCED: 'A silence held for the alert.',
  NOTIFICATIONS_PAUSED: 'All notifications were paused, and what came in meanwhile was to be dropped.',
};

export const told: Record<DeliveryKind | 'ACKNOWLEDGED' | 'REOPENED', string> = {
  ALERT: 'the alert',
  ACKNOWLEDGED: 'the acknowledgement',
  RESOLVED: 'the resolve',
  REOPENED: 'the reopening',
};

export const deeds: Record<AlertEventKind, string> = {
  ACKNOWLEDGED: 'acknowledged it',
  ASSIGNED: 'assigned it',
  COMMENTED: 'commented',
  RESOLVED: 'resolved it',
  REOPENED: 'reopened it',
};
