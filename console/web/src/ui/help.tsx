import { hotkeys } from '../lib/hotkeys.ts';
import { useStore } from '../lib/store.ts';
import { Dialog } from './dialog.tsx';

const shown: Record<string, string> = { ArrowDown: '↓', ArrowUp: '↑', Escape: 'Esc', ' ': 'Space' };

export function HelpDialog({ onClose }: { onClose: () => void }) {
  const all = useStore(hotkeys).filter(({ what }) => what);
  const groups = [...new Set(all.map(({ group }) => group))].reverse();
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <div className="dialog-body shortcuts">
        {groups.map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {all
                .filter((hotkey) => hotkey.group === group)
                .map(({ keys, what }) => (
                  <div key={keys}>
                    <dt>{what}</dt>
                    <dd>
                      {keys.split(' ').map((key) => (
                        <kbd key={key}>{shown[key] ?? key}</kbd>
                      ))}
                    </dd>
                  </div>
                ))}
            </dl>
          </section>
        ))}
        <p className="muted small">They work while no field has the focus.</p>
      </div>
    </Dialog>
  );
}
