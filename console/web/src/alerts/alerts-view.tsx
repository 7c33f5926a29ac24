import './alerts.css';
import { useQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { apiQuery, request } from '../api/client.ts';
import { useFeed } from '../api/feed.ts';
import { queryClient } from '../api/queries.ts';
import { pageURL } from '../base.ts';
import { AlertCountsDocument, AlertsDocument, type AlertRowFragment } from '../gql/graphql.ts';
import { useParams } from '../lib/address.ts';
import { announce } from '../lib/announce.ts';
import { useHotkeys } from '../lib/hotkeys.ts';
import { useLiveList } from '../lib/live-list.ts';
import { useMay } from '../lib/roles.ts';
import { useThrottled } from '../lib/throttle.ts';
import { number, plural } from '../lib/time.ts';
import { useWidth } from '../lib/width.ts';
import { severityName } from '../ui/badges.tsx';
import { Button, PlaygroundLink } from '../ui/button.tsx';
import { ExportMenu } from '../ui/export-menu.tsx';
import { UpIcon } from '../ui/icons.tsx';
import { Page } from '../ui/page.tsx';
import { Empty, Failure, Loading } from '../ui/states.tsx';
import { toast } from '../ui/toast.tsx';
import { VirtualList, type ListHandle } from '../ui/virtual-list.tsx';
import type { ViewProps } from '../views.tsx';
import { AlertRow } from './alert-row.tsx';
import { actOn, BulkBar, deedsDone, nothing, type Selection } from './bulk.tsx';
import { AlertDetail } from './detail.tsx';
import { FilterBar, type Counts } from './filter-bar.tsx';
import { filterOf, filterWithoutStates, matches, shownState } from './filter.ts';

const mostSaid = 200; // characters of a message, to a screen reader
const wide = 680; // px of the list from which a row is one line

export default function AlertsView({ id }: ViewProps) {
  const [params, change] = useParams();
  const search = useSearch();
  const [, navigate] = useLocation();
  const analyst = useMay('ANALYST');
  const body = useRef<HTMLDivElement>(null);
  const width = useWidth(body);
  const handle = useRef<ListHandle>(null);
  const [scrolled, setScrolled] = useState(false);
  const [active, setActive] = useState<string | null>(null); // the row that has, or had, the focus: by its id, as new ones move it down
  const [selected, setSelected] = useState<{ of: string; selection: Selection }>({ of: search, selection: nothing });
  const selection = selected.of === search ? selected.selection : nothing; // another filter begins anew
  const select = (next: Selection) => setSelected({ of: search, selection: next });
  const last = useRef<string | null>(null); // the row that was selected last
  const place = useRef(-1); // where the active row is, or was before it left the list
  const moved = useRef(0); // when the focus went on by itself

  const filter = useMemo(() => filterOf(params), [params]);
  const list = useLiveList<AlertRowFragment>({
    key: ['Alerts', filter],
    read: async (after, first, signal) => (await request(AlertsDocument, { filter, first, after }, signal)).alerts,
    nodeOf: (event) => event.alert,
    isGone: (event) => event.kind === 'ALERT_DELETED',
    matches: (alert) => matches(filter, alert),
    hold: scrolled,
    onNew: (alerts) =>
      announce(alerts.length === 1 ? `New alert: ${severityName(alerts[0]!.severity)}, ${alerts[0]!.type}, ${alerts[0]!.message.slice(0, mostSaid)}` : plural(alerts.length, 'new alert')),
  });
  const { items } = list;
  const counts = useCounts(params);
  const count = counts[shownState(params)] ?? list.total;

  const hrefOf = useCallback((alert: { id: string }) => `/alerts/${alert.id}${search && `?${search}`}`, [search]);
  const indexOf = (wanted: string | null | undefined) => items.findIndex((alert) => alert.id === wanted);
  const index = indexOf(active);

  useEffect(() => {
    if (index >= 0) {
      place.current = index;
      return;
    }
    // The row has left the list, and the focus with it: the one that took its place has it now.
    const next = items[Math.min(place.current, items.length - 1)];
    if (active === null || !next || document.activeElement !== document.body || id !== undefined) return;
    moved.current = performance.now();
    setActive(next.id);
    handle.current?.focus(items.indexOf(next));
  }, [index, active, items, id]);

  // A link leads to an alert that is further down.
  const revealed = useRef<string | null>(null);
  useEffect(() => {
    if (id === undefined || revealed.current === id || items.length === 0) return;
    revealed.current = id;
    const at = items.findIndex((alert) => alert.id === id);
    if (at >= 0) handle.current?.reveal(at);
  }, [id, items]);

  const close = () => {
    navigate(`/alerts${search && `?${search}`}`);
    const at = indexOf(id);
    if (at >= 0) handle.current?.focus(at);
  };

  const go = (step: number) => {
    if (items.length === 0) return;
    const from = id === undefined ? index : indexOf(id);
    const next = items[Math.min(Math.max(from >= 0 ? from + step : place.current + (step < 0 ? step : 0), 0), items.length - 1)]!;
    setActive(next.id);
    handle.current?.focus(items.indexOf(next));
    if (id !== undefined) navigate(hrefOf(next), { replace: true });
  };
  const open = () => {
    const meant = items[index];
    if (meant && meant.id === id) enter();
    else if (meant) navigate(hrefOf(meant));
  };
  // What a shortcut is about: the selection, else what is open, else the row with the focus.
  const meant = (): Selection => {
    if (selection.all || selection.ids.size > 0) return selection;
    const one = id ?? items[index]?.id;
    return { ids: new Set(one === undefined ? [] : [one]), all: false };
  };
  const act = (what: 'acknowledge' | 'resolve') => {
    if (performance.now() - moved.current < 500) return; // it was meant for the one before
    const which = meant();
    if (!which.all && which.ids.size === 0) return;
    // What is open may not be in the list; the server says when it makes no sense.
    const alone = id !== undefined && which.ids.size === 1 && !items.some((alert) => alert.id === id);
    const alerts = alone ? [{ id, state: what === 'acknowledge' ? 'OPEN' : 'ACKNOWLEDGED' } as AlertRowFragment] : items;
    actOn(what, which, alerts, filter).then(
      (changed) => {
        toast(changed === 0 ? 'There was nothing to do' : `${plural(changed, 'alert')} ${deedsDone[what]}`);
        select(nothing);
      },
      (error: Error) => toast(error.message, true),
    );
  };

  const onSelect = useCallback(
    (chosen: string, range: boolean) => {
      const at = items.findIndex((alert) => alert.id === chosen);
      if (at < 0) return;
      const ids = new Set(selection.all ? items.map((one) => one.id) : selection.ids);
      const on = !ids.has(chosen);
      const before = range ? items.findIndex((alert) => alert.id === last.current) : -1;
      const from = before >= 0 ? before : at;
      for (const one of items.slice(Math.min(from, at), Math.max(from, at) + 1)) {
        if (on) ids.add(one.id);
        else ids.delete(one.id);
      }
      last.current = chosen;
      setSelected({ of: search, selection: { ids, all: false } });
    },
    [items, selection, search],
  );

  useHotkeys([
    { keys: 'j', what: 'Next alert', group: 'Alerts', run: () => go(1) },
    { keys: 'k', what: 'Previous alert', group: 'Alerts', run: () => go(-1) },
    { keys: 'o', what: 'Open; once more: go into it', group: 'Alerts', run: open },
    { keys: 'Enter', what: '', group: 'Alerts', run: open },
    ...(id === undefined ? [] : [{ keys: 'Escape', what: 'Close', group: 'Alerts', run: close }]),
    ...(analyst
      ? [
          { keys: 'x', what: 'Select', group: 'Alerts', run: () => items[index] && onSelect(items[index].id, false) },
          { keys: 'a', what: 'Acknowledge', group: 'Alerts', run: () => act('acknowledge') },
          { keys: 'r', what: 'Resolve', group: 'Alerts', run: () => act('resolve') },
        ]
      : []),
  ]);

  const some = selection.all || items.some((alert) => selection.ids.has(alert.id));
  return (
    <div className={id === undefined ? 'alerts' : 'alerts with-detail'}>
      <Page
        title="Alerts"
        mark={counts.open ? `(${number(counts.open)}) ` : ''}
        count={count !== undefined && number(count)}
        actions={
          <>
            <ExportMenu path="alerts" filter={filter} />
            <PlaygroundLink query={AlertsDocument} variables={{ filter, first: 50 }} />
          </>
        }
        filters={<FilterBar params={params} change={change} counts={counts} seen={items} />}
      >
        <div ref={body} className={width >= wide ? 'alert-list one-line' : 'alert-list'}>
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
          {list.isLoading || width === 0 ? (
            <Loading />
          ) : list.error && items.length === 0 ? (
            <Failure error={list.error} onRetry={list.reload} />
          ) : items.length === 0 && !list.hasMore ? (
            <Nothing filtered={[...params.keys()].length > 0} ever={counts.all !== 0} state={shownState(params)} onClear={() => navigate('/alerts')} />
          ) : (
            <VirtualList
              ref={handle}
              label="Alerts, newest first"
              items={items}
              total={list.hasMore ? Math.max(list.total ?? 0, items.length) : items.length}
              rowHeight={width >= wide ? 42 : 66}
              onEnd={list.more}
              onScrolled={setScrolled}
              onArrow={go}
              row={(alert) => (
                <AlertRow
                  alert={alert}
                  href={hrefOf(alert)}
                  isOpen={alert.id === id}
                  isFresh={list.fresh.has(alert.id)}
                  isSelected={selection.all || selection.ids.has(alert.id)}
                  onSelect={analyst ? onSelect : null}
                  onFocus={setActive}
                  onAgain={enter}
                />
              )}
              footer={<Foot failed={list.moreFailed} loading={list.isLoadingMore} onRetry={list.retryMore} />}
            />
          )}
        </div>
        {some && (
          <BulkBar
            selection={selection}
            alerts={items}
            filter={filter}
            total={count ?? items.length}
            onSelectAll={() => select({ ids: new Set(), all: true })}
            onDone={() => select(nothing)}
          />
        )}
      </Page>
      {id !== undefined && <AlertDetail key={id} id={id} seen={items} onClose={close} />}
    </div>
  );
}

// The focus goes from the list into what is open.
const enter = () => document.querySelector<HTMLElement>('.detail h2')?.focus();

function Foot({ failed, loading, onRetry }: { failed: boolean; loading: boolean; onRetry: () => void }) {
  if (failed) {
    return (
      <p className="list-foot" role="alert">
        The next ones could not be read. <Button onClick={onRetry}>Try again</Button>
      </p>
    );
  }
  return loading ? <p className="list-foot muted">Loading…</p> : null;
}

function Nothing({ filtered, ever, state, onClear }: { filtered: boolean; ever: boolean; state: string; onClear: () => void }) {
  if (filtered && state !== 'active') {
    return (
      <Empty title="No alerts match">
        <Button onClick={onClear}>Clear the filter</Button>
      </Empty>
    );
  }
  return filtered ? (
    <Empty title="No active alerts match">
      <p>Those that are resolved are not shown here.</p>
      <Button onClick={onClear}>Clear the filter</Button>
    </Empty>
  ) : (
    <Empty title="All quiet">
      <p>{ever ? 'There is no alert that is not resolved.' : 'No alert has come in yet.'} New ones appear here by themselves.</p>
      {!ever && <First />}
    </Empty>
  );
}

// How the very first alert is sent.
function First() {
  const admin = useMay('ADMIN');
  return (
    <>
      <p>This sends one, with a token that may report:</p>
      <pre className="example" tabIndex={0}>{`curl ${pageURL('/ingest/json')} -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/json' -d '{"type": "hello", "severity": "low", "message": "It works"}'`}</pre>
      {admin && (
        <p>
          <Link href="/tokens">Make a token</Link> of the role REPORTER for what reports, and <Link href="/channels">a channel</Link> for where it is told.
        </p>
      )}
    </>
  );
}

// How many there are in each state. Counted by the server, anew when something has happened.
function useCounts(params: URLSearchParams): Counts {
  const variables = useMemo(() => {
    const filter = filterWithoutStates(params);
    return { open: { ...filter, states: ['OPEN' as const] }, acknowledged: { ...filter, states: ['ACKNOWLEDGED' as const] }, resolved: { ...filter, states: ['RESOLVED' as const] } };
  }, [params]);
  const { data } = useQuery({ ...apiQuery(AlertCountsDocument, variables), placeholderData: (before) => before });
  const again = useThrottled(() => void queryClient.invalidateQueries({ queryKey: ['AlertCounts'] }), 1500);
  useFeed((events) => {
    if (events.some(({ kind, change }) => kind === 'ALERT_CREATED' || kind === 'ALERT_DELETED' || (kind === 'ALERT_UPDATED' && change))) again();
  });
  if (!data) return {};
  const [open, acknowledged, resolved] = [data.open.totalCount, data.acknowledged.totalCount, data.resolved.totalCount];
  return { active: open + acknowledged, open, acknowledged, resolved, all: open + acknowledged + resolved };
}
