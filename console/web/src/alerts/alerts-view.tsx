import { useMemo, useRef, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { request } from '../api/client.ts';
import { AlertsDocument, type AlertRowFragment } from '../gql/graphql.ts';
import { useParams } from '../lib/address.ts';
import { announce } from '../lib/announce.ts';
import { useHotkeys } from '../lib/hotkeys.ts';
import { useLiveList } from '../lib/live-list.ts';
import { number, plural } from '../lib/time.ts';
import { SeverityMark, severities, severityName } from '../ui/badges.tsx';
import { Button, PlaygroundLink } from '../ui/button.tsx';
import { SearchField, Toggles } from '../ui/fields.tsx';
import { UpIcon } from '../ui/icons.tsx';
import { Page } from '../ui/page.tsx';
import { Empty, Failure, Loading } from '../ui/states.tsx';
import { Ago } from '../ui/time.tsx';
import { VirtualList, type ListHandle } from '../ui/virtual-list.tsx';
import type { ViewProps } from '../views.tsx';
import { filterOf, matches } from './filter.ts';

export default function AlertsView({ id }: ViewProps) {
  const [params, change] = useParams();
  const search = useSearch();
  const [, navigate] = useLocation();
  const filter = useMemo(() => filterOf(params), [params]);
  const [scrolled, setScrolled] = useState(false);
  const handle = useRef<ListHandle>(null);
  const list = useLiveList<AlertRowFragment>({
    key: ['Alerts', filter],
    read: async (after, first, signal) => (await request(AlertsDocument, { filter, first, after }, signal)).alerts,
    nodeOf: (event) => event.alert,
    matches: (alert) => matches(filter, alert),
    hold: scrolled,
    onNew: (alerts) => announce(alerts.length === 1 ? `New alert: ${severityName(alerts[0]!.severity)}, ${alerts[0]!.type}, ${alerts[0]!.message}` : plural(alerts.length, 'new alert')),
  });
  const [active, setActive] = useState(-1);
  const go = (step: number) => {
    const next = Math.min(Math.max(active + step, 0), list.items.length - 1);
    setActive(next);
    handle.current?.focus(next);
  };
  useHotkeys([
    { keys: 'j', what: 'Next', group: 'List', run: () => go(1) },
    { keys: 'ArrowDown', what: '', group: 'List', run: () => go(1) },
    { keys: 'k', what: 'Previous', group: 'List', run: () => go(-1) },
    { keys: 'ArrowUp', what: '', group: 'List', run: () => go(-1) },
    { keys: 'o', what: 'Open', group: 'List', run: () => list.items[active] && navigate(`/alerts/${list.items[active].id}${search && `?${search}`}`) },
  ]);

  return (
    <Page
      title="Alerts"
      count={list.total !== undefined && number(list.total)}
      actions={<PlaygroundLink query={AlertsDocument} variables={{ filter, first: 50 }} />}
      filters={
        <>
          <SearchField label="Search type and message" value={params.get('q') ?? ''} onChange={(q) => change({ q })} />
          <Toggles label="Severity" all={severities} chosen={filter.severities ?? []} onChange={(severity) => change({ severity })} show={(severity) => <SeverityMark severity={severity} withName />} />
        </>
      }
    >
      {list.held > 0 && (
        <Button
          kind="primary"
          className="pill"
          icon={UpIcon}
          onClick={() => {
            list.release();
            handle.current?.toTop();
          }}
        >
          {plural(list.held, 'new alert')}
        </Button>
      )}
      {list.isLoading ? (
        <Loading />
      ) : list.error && list.items.length === 0 ? (
        <Failure error={list.error} onRetry={list.reload} />
      ) : list.items.length === 0 ? (
        <Empty title="No alerts match" />
      ) : (
        <VirtualList
          ref={handle}
          label="Alerts, newest first"
          items={list.items}
          total={list.total ?? list.items.length}
          rowHeight={44}
          onEnd={list.more}
          onScrolled={setScrolled}
          row={(alert, index) => (
            <Link data-row href={`/alerts/${alert.id}${search && `?${search}`}`} className={`row alert-row ${alert.id === id ? 'open' : ''} ${list.fresh.has(alert.id) ? 'fresh' : ''}`} onFocus={() => setActive(index)}>
              <SeverityMark severity={alert.severity} />
              <span className="alert-type">{alert.type}</span>
              <span className="alert-message">{alert.message}</span>
              <Ago at={alert.createdAt} className="muted" />
            </Link>
          )}
        />
      )}
    </Page>
  );
}
