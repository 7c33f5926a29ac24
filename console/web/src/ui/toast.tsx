// Short messages about what somebody has just done, where its own place is gone from sight. They go away by themselves.
import { Store, useStore } from '../lib/store.ts';
import { IconButton } from './button.tsx';
import { CloseIcon } from './icons.tsx';

type Toast = { id: number; text: string; bad: boolean };

const toasts = new Store<Toast[]>([]);
const shown = 6000; // ms
let ids = 0;

const remove = (id: number) => toasts.set(toasts.get().filter((toast) => toast.id !== id));

export function toast(text: string, bad = false) {
  const id = ++ids;
  toasts.set([...toasts.get().slice(-2), { id, text, bad }]);
  setTimeout(() => remove(id), bad ? 2 * shown : shown);
}

export function Toasts() {
  const all = useStore(toasts);
  return (
    <div className="toasts" role="status">
      {all.map(({ id, text, bad }) => (
        <div key={id} className={bad ? 'toast bad' : 'toast'}>
          <span>{text}</span>
          <IconButton label="Dismiss" icon={CloseIcon} onClick={() => remove(id)} />
        </div>
      ))}
    </div>
  );
}
