// A long list of which only what is in sight is in the page. Each row is an <li> that knows its place.
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useImperativeHandle, useRef, useState, type ReactNode, type Ref } from 'react';

export type ListHandle = {
  toTop: () => void;
  reveal: (index: number) => void; // brings the row into sight
  focus: (index: number) => void; // brings the row into sight and puts the focus on its element with data-row
};

export function VirtualList<T extends { id: string }>({ label, items, total, rowHeight, row, onEnd, onScrolled, onArrow, footer, ref }: {
  label: string;
  items: T[];
  total: number; // all that there are, those that are not read yet included
  rowHeight: number; // px
  row: (item: T) => ReactNode;
  onEnd: () => void; // the end of what is read is near
  onScrolled?: (scrolled: boolean) => void; // away from the top, or back
  onArrow?: (step: number) => void; // the arrow keys, while the list has the focus
  footer?: ReactNode;
  ref?: Ref<ListHandle>;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [wanted, setWanted] = useState<{ index: number; from: Element | null } | null>(null);
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => box.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => items[index]?.id ?? index,
    overscan: 8,
    useFlushSync: false,
  });
  const rows = virtual.getVirtualItems();
  const last = rows.at(-1)?.index ?? -1;

  useEffect(() => {
    virtual.measure();
  }, [virtual, rowHeight]);
  useEffect(() => {
    if (last >= items.length - 20) onEnd();
  });
  useEffect(() => {
    if (wanted === null) return;
    const element = box.current?.querySelector<HTMLElement>(`[data-index="${wanted.index}"] [data-row]`);
    if (!element) return;
    const at = document.activeElement;
    if (at === wanted.from || at === document.body) element.focus({ preventScroll: true }); // nobody has gone elsewhere meanwhile
    setWanted(null);
  });

  useImperativeHandle(ref, () => ({
    toTop: () => box.current?.scrollTo({ top: 0 }),
    reveal: (index) => virtual.scrollToIndex(index, { align: 'auto' }),
    focus: (index) => {
      virtual.scrollToIndex(index, { align: 'auto' });
      setWanted({ index, from: document.activeElement });
    },
  }));

  return (
    <div
      ref={box}
      className="list-box"
      onScroll={(event) => onScrolled?.(event.currentTarget.scrollTop > rowHeight / 2)}
      onKeyDown={(event) => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (!step || !onArrow || event.metaKey || event.ctrlKey || event.altKey) return;
        event.preventDefault();
        onArrow(step);
      }}
    >
      <ul className="list" aria-label={label} style={{ height: virtual.getTotalSize() }}>
        {rows.map(({ index, key, start, size }) => (
          <li key={key} data-index={index} aria-posinset={index + 1} aria-setsize={total} style={{ transform: `translateY(${start}px)`, height: size }}>
            {row(items[index]!)}
          </li>
        ))}
      </ul>
      {footer}
    </div>
  );
}
