import './overview.css';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { AlertFiguresDocument, DeliveryFiguresDocument, UnresolvedCountsDocument, type AlertFiguresQuery, type DeliveryFiguresQuery, type UnresolvedCountsQuery, type WaitingQuery } from '../gql/graphql.ts';
import { known, useParams } from '../lib/address.ts';
import { useNow } from '../lib/clock.ts';
import { duration, number, span } from '../lib/time.ts';
import { SeverityMark, severities, severityName } from '../ui/badges.tsx';
import { PlaygroundLink } from '../ui/button.tsx';
import { Choice } from '../ui/fields.tsx';
import { Page } from '../ui/page.tsx';
import { ChannelsPanel } from './channels-panel.tsx';
import { useFigures } from './figures.ts';
import { alertsLink, deliveriesLink } from '../lib/links.ts';
import { ChartPanel, type Figures } from './panel.tsx';
import { percent } from './percent.ts';
import { ranges, useRange, type Range, type RangeName } from './range.ts';
import { TypesPanel } from './types-panel.tsx';
import { UnresolvedPanel } from './unresolved-panel.tsx';

const names = Object.keys(ranges) as RangeName[];

export default function OverviewView() {
  const [params, change] = useParams();
  const name = known(params.getAll('range'), names)[0] ?? '24h';
  const range = useRange(name);
  const { variables, alerts, deliveries, unresolved, waiting } = useFigures(range);
  const alertStats = alerts.data?.alertStats;
  const deliveryStats = deliveries.data?.deliveryStats;
  const during = range.name.toLowerCase();
  return (
    <Page title="Overview" actions={<Choice label="Time" all={names} chosen={name} onChange={(range) => change({ range: range === '24h' ? null : range })} show={(one) => <RangeLabel name={one} />} />}>
      <div className="overview">
        <Tiles range={range} alerts={alertStats} deliveries={deliveryStats} unresolved={unresolved.data} waiting={waiting.data} />
        <ChartPanel
          title="Alerts over time"
          summary={alertStats ? `${number(alertStats.total)} in the ${during}` : ''}
          range={range}
          figures={alertStats && alertFigures(alertStats)}
          error={alerts.error}
          onRetry={() => void alerts.refetch()}
          actions={<PlaygroundLink query={AlertFiguresDocument} variables={variables} />}
        />
        <ChartPanel
          title="Deliveries over time"
          summary={deliveryStats ? `${number(deliveryStats.total)} in the ${during}` : ''}
          range={range}
          figures={deliveryStats && deliveryFigures(deliveryStats)}
          error={deliveries.error}
          onRetry={() => void deliveries.refetch()}
          actions={<PlaygroundLink query={DeliveryFiguresDocument} variables={variables} />}
        />
        <ChannelsPanel range={range} stats={deliveryStats} waiting={waiting.data} error={deliveries.error ?? waiting.error} onRetry={() => void Promise.all([deliveries.refetch(), waiting.refetch()])} />
        <UnresolvedPanel counts={unresolved.data} error={unresolved.error} onRetry={() => void unresolved.refetch()} actions={<PlaygroundLink query={UnresolvedCountsDocument} />} />
        <TypesPanel range={range} stats={alertStats} error={alerts.error} onRetry={() => void alerts.refetch()} />
      </div>
    </Page>
  );
}

const spoken: Record<RangeName, string> = { '1h': '1 hour', '24h': '24 hours', '7d': '7 days', '30d': '30 days' };

function RangeLabel({ name }: { name: RangeName }) {
  return (
    <>
      <span aria-hidden="true">{name.replace(/(\d)([a-z])/, '$1 $2')}</span>
      <span className="hidden">{spoken[name]}</span>
    </>
  );
}

function alertFigures({ buckets }: AlertFiguresQuery['alertStats']): Figures {
  const colors = { HIGH: '--high', MEDIUM: '--medium', LOW: '--low' };
  const values = { HIGH: buckets.map(({ high }) => high), MEDIUM: buckets.map(({ medium }) => medium), LOW: buckets.map(({ low }) => low) };
  return {
    name: 'alerts',
    times: buckets.map(({ from }) => Date.parse(from)),
    series: severities.map((severity) => ({ key: severity, label: severityName(severity), color: colors[severity], values: values[severity], shape: <SeverityMark severity={severity} /> })),
    behind: (from, to, severity) => alertsLink({ state: 'all', severity, from, to }),
  };
}

function deliveryFigures({ buckets }: DeliveryFiguresQuery['deliveryStats']): Figures {
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  const series = [
    { key: 'FAILED', label: 'Failed', color: '--failed', hatched: true, values: buckets.map(({ failed }) => failed) },
    { key: 'PENDING', label: 'Waiting', color: '--waiting', values: buckets.map(({ pending }) => pending) },
    { key: 'CANCELLED', label: 'Cancelled', color: '--cancelled', values: buckets.map(({ cancelled }) => cancelled) },
    { key: 'DELIVERED', label: 'Delivered', color: '--delivered', values: buckets.map(({ delivered }) => delivered) },
  ];
  return {
    name: 'deliveries',
    times: buckets.map(({ from }) => Date.parse(from)),
    // What there is none of needs no place, but for the two that one looks for.
    series: series.filter(({ key, values }) => key === 'DELIVERED' || key === 'FAILED' || sum(values) > 0),
    behind: (from, to, status) => deliveriesLink({ status, from, to }),
  };
}

type TilesProps = {
  range: Range;
  alerts: AlertFiguresQuery['alertStats'] | undefined;
  deliveries: DeliveryFiguresQuery['deliveryStats'] | undefined;
  unresolved: UnresolvedCountsQuery | undefined;
  waiting: WaitingQuery | undefined;
};

// The figures that one comes for.
function Tiles({ range, alerts, deliveries, unresolved, waiting }: TilesProps) {
  const { from } = range;
  const open = unresolved && unresolved.highOpen.totalCount + unresolved.mediumOpen.totalCount + unresolved.lowOpen.totalCount;
  const acknowledged = unresolved && unresolved.highAcknowledged.totalCount + unresolved.mediumAcknowledged.totalCount + unresolved.lowAcknowledged.totalCount;
  const rate = deliveries?.successRate;
  const waits = waiting?.channels.reduce((sum, { health }) => sum + health.waiting, 0);
  const oldest = waiting?.channels.flatMap(({ health }) => health.oldestWaitingSince ?? []).sort()[0];
  return (
    <ul className="tiles" aria-label="At a glance">
      <Tile label="Open alerts" href={alertsLink({ state: 'open' })} value={open} tone={unresolved && unresolved.highOpen.totalCount > 0 ? 'bad' : undefined}>
        {unresolved && (unresolved.highOpen.totalCount > 0 ? `${number(unresolved.highOpen.totalCount)} of them high` : acknowledged ? `${number(acknowledged)} more acknowledged` : 'none acknowledged')}
      </Tile>
      <Tile label="Alerts came in" href={alertsLink({ state: 'all', from })} value={alerts?.total}>
        {alerts && `${number(alerts.open)} not resolved`}
      </Tile>
      <Tile label="Delivered" href={deliveriesLink({ status: 'FAILED', from })} value={deliveries && (rate == null ? '–' : percent(rate))} tone={rate != null && rate < 0.95 ? 'bad' : undefined}>
        {deliveries && (deliveries.failed > 0 ? `${number(deliveries.failed)} failed` : 'none failed')}
      </Tile>
      <Tile label="Half delivered in" href={deliveriesLink({ status: 'DELIVERED', from })} value={deliveries && (deliveries.p50Ms == null ? '–' : duration(deliveries.p50Ms))}>
        {deliveries && (deliveries.p99Ms == null ? 'nothing delivered' : `99 of 100 in ${duration(deliveries.p99Ms)}`)}
      </Tile>
      <Tile label="Waiting" href={deliveriesLink({ status: 'PENDING' })} value={waits}>
        {waiting && (oldest ? <Waited since={oldest} /> : 'nothing waits')}
      </Tile>
    </ul>
  );
}

function Tile({ label, href, value, tone, children }: { label: string; href: string; value: number | string | undefined; tone?: 'bad' | undefined; children: ReactNode }) {
  return (
    <li>
      <Link href={href} className={tone ? `tile ${tone}` : 'tile'}>
        <span className="tile-label">{label}</span>
        <strong>{value === undefined ? '…' : typeof value === 'number' ? number(value) : value}</strong>
        <span className="muted small">{children}</span>
      </Link>
    </li>
  );
}

export function Waited({ since }: { since: string }) {
  return <>{`the oldest for ${span(useNow() - Date.parse(since))}`}</>;
}
