import './alerts.css';
import { useQuery } from '@tanstack/react-query';
import { useCallback, useMemo, useRef, useState } from 'react';
import { useLocation, useSearch } from 'wouter';
import { apiQuery, request } from '../api/client.ts';
import { useFeed } from '../api/feed.ts';
import { queryClient } from '../api/queries.ts';
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
  const [active, setActive] = useState(-1);
  const [selected, setSelected] = useState<{ of: string; selection: Selection }>({ of: search, selection: nothing });
  const selection = selected.of === search ? selected.selection : nothing; // another filter begins anew
  const select = (next: Selection) => setSelected({ of: search, selection: next });
  const last = useRef(-1); // the row that was selected last

  const filter = useMemo(() => filterOf(params), [params]);
  const list = useLiveList<AlertRowFragment>({
    key: ['Alerts', filter],
    read: async (after, first, signal) => (await request(AlertsDocument, { filter, first, after }, signal)).alerts,
    nodeOf: (event) => event.alert,
    isGone: (event) => event.kind === 'ALERT_DELETED',
    matches: (alert) => matches(filter, alert),
    hold: scrolled,
    onNew: (alerts) =>
      announce(alerts.length === 1 ? `New alert: ${severityName(alerts[0]!.severity)}, ${alerts[0]!.type}, ${alerts[0]!.message}` : plural(alerts.length, 'new alert')),
  });
  const { items } = list;
  const counts = useCounts(params);
  const count = counts[shownState(params)] ?? list.total;

  const hrefOf = useCallback((alert: { id: string }) => `/alerts/${alert.id}${search && `?${search}`}`, [search]);
  const close = () => {
    navigate(`/alerts${search && `?${search}`}`);
    if (active >= 0) handle.current?.focus(active);
  };

  const go = (step: number) => {
    if (items.length === 0) return;
    const from = id === undefined ? active : items.findIndex((alert) => alert.id === id);
    const next = Math.min(Math.max(from + step, 0), items.length - 1);
    setActive(next);
    handle.current?.focus(next);
    if (id !== undefined) navigate(hrefOf(items[next]!), { replace: true });
  };
  // What a shortcut is about: the selection, else what is open, else the row with the focus.
  const meant = (): Selection => {
    if (selection.all || selection.ids.size > 0) return selection;
    const one = id ?? items[active]?.id;
    return { ids: new Set(one === undefined ? [] : [one]), all: false };
  };
  const act = (what: 'acknowledge' | 'resolve') => {
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
    (index: number, range: boolean) => {
      const alert = items[index];
      if (!alert) return;
      const ids = new Set(selection.all ? items.map((one) => one.id) : selection.ids);
      const on = !ids.has(alert.id);
      const from = range && last.current >= 0 ? last.current : index;
      for (const one of items.slice(Math.min(from, index), Math.max(from, index) + 1)) {
        if (on) ids.add(one.id);
        else ids.delete(one.id);
      }
      last.current = index;
      setSelected({ of: search, selection: { ids, all: false } });
    },
    [items, selection, search],
  );
  const onFocus = useCallback((index: number) => setActive(index), []);

  useHotkeys([
    { keys: 'j', what: 'Next alert', group: 'Alerts', run: () => go(1) },
    { keys: 'k', what: 'Previous alert', group: 'Alerts', run: () => go(-1) },
    { keys: 'o', what: 'Open', group: 'Alerts', run: () => items[active] && navigate(hrefOf(items[active])) },
    { keys: 'Enter', what: '', group: 'Alerts', run: () => items[active] && navigate(hrefOf(items[active])) },
    ...(id === undefined ? [] : [{ keys: 'Escape', what: 'Close', group: 'Alerts', run: close }]),
    ...(analyst
      ? [
          { keys: 'x', what: 'Select', group: 'Alerts', run: () => active >= 0 && onSelect(active, false) },
          { keys: 'a', what: 'Acknowledge', group: 'Alerts', run: () => act('acknowledge') },
          { keys: 'r', what: 'Resolve', group: 'Alerts', run: () => act('resolve') },
        ]
      : []),
  ]);

  const some = selection.all || selection.ids.size > 0;
  return (
    <div className={id === undefined ? 'alerts' : 'alerts with-detail'}>
      <Page
        title="Alerts"
        count={count !== undefined && number(count)}
        actions={<PlaygroundLink query={AlertsDocument} variables={{ filter, first: 50 }} />}
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
            <Nothing filtered={[...params.keys()].length > 0} state={shownState(params)} onClear={() => navigate('/alerts')} />
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
              row={(alert, index) => (
                <AlertRow
                  alert={alert}
                  index={index}
                  href={hrefOf(alert)}
                  isOpen={alert.id === id}
                  isFresh={list.fresh.has(alert.id)}
                  isSelected={selection.all || selection.ids.has(alert.id)}
                  onSelect={analyst ? onSelect : null}
                  onFocus={onFocus}
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

function Nothing({ filtered, state, onClear }: { filtered: boolean; state: string; onClear: () => void }) {
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
      <p>There is no alert that is not resolved. New ones appear here by themselves.</p>
    </Empty>
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
