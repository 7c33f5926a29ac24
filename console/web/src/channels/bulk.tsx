// What is done with several channels at once.
import { useEffect, useRef, useState } from 'react';
import { request } from '../api/client.ts';
import { DeleteChannelsDocument, SetChannelsActiveDocument, TestChannelDocument, type ChannelRowFragment, type TestFragment } from '../gql/graphql.ts';
import { plural } from '../lib/time.ts';
import { Button, IconButton } from '../ui/button.tsx';
import { Confirm, Dialog } from '../ui/dialog.tsx';
import { CloseIcon, DeliveryIcon, TrashIcon } from '../ui/icons.tsx';
import { toast } from '../ui/toast.tsx';
import { channelsChanged } from './live.ts';
import { TestOutcome } from './test-outcome.tsx';

type Some = Pick<ChannelRowFragment, 'id' | 'name' | 'isActive' | 'health'>;
type Ends = { channels: Some[]; onClose: () => void; onDone: () => void };

const idsOf = (channels: Some[]) => channels.map(({ id }) => id);
const channelsIn = (channels: Some[]) => (channels.length === 1 ? channels[0]!.name : plural(channels.length, 'channel'));
const waitingIn = (channels: Some[]) => channels.reduce((sum, { health }) => sum + health.waiting, 0);

export function BulkBar({ channels, onNone }: { channels: Some[]; onNone: () => void }) {
  const [dialog, setDialog] = useState<'test' | 'on' | 'off' | 'delete' | null>(null);
  const close = () => setDialog(null);
  const done = () => {
    close();
    onNone();
  };
  const off = channels.filter(({ isActive }) => !isActive);
  const on = channels.filter(({ isActive }) => isActive);
  return (
    <div className="channel-bulk" role="toolbar" aria-label="With the selected channels">
      <strong>{plural(channels.length, 'channel')}</strong>
      <Button icon={DeliveryIcon} onClick={() => setDialog('test')}>
        Test
      </Button>
      {off.length > 0 && <Button onClick={() => setDialog('on')}>Activate</Button>}
      {on.length > 0 && <Button onClick={() => setDialog('off')}>Deactivate</Button>}
      <Button kind="danger" icon={TrashIcon} onClick={() => setDialog('delete')}>
        Delete
      </Button>
      <IconButton label="Select none" icon={CloseIcon} onClick={onNone} />
      {dialog === 'test' && <TestDialog channels={channels} onClose={close} />}
      {dialog === 'on' && <ConfirmOn channels={off} onClose={close} onDone={done} />}
      {dialog === 'off' && <ConfirmOff channels={on} onClose={close} onDone={done} />}
      {dialog === 'delete' && <ConfirmDelete channels={channels} onClose={close} onDone={done} />}
    </div>
  );
}

const Names = ({ channels }: { channels: Some[] }) =>
  channels.length > 1 && (
    <ul className="names">
      {channels.map(({ id, name }) => (
        <li key={id}>{name}</li>
      ))}
    </ul>
  );

function ConfirmOn({ channels, onClose, onDone }: Ends) {
  return (
    <Confirm
      title={`Activate ${channelsIn(channels)}?`}
      action="Activate"
      onClose={onClose}
      run={async () => {
        await request(SetChannelsActiveDocument, { ids: idsOf(channels), active: true });
        await channelsChanged();
        toast(channels.length === 1 ? `${channelsIn(channels)} is on` : `${channelsIn(channels)} are on`);
        onDone();
      }}
    >
      <Names channels={channels} />
      <p>They are told of alerts that come in from now on.</p>
    </Confirm>
  );
}

export function ConfirmOff({ channels, onClose, onDone }: Ends) {
  const waiting = waitingIn(channels);
  return (
    <Confirm
      title={`Deactivate ${channelsIn(channels)}?`}
      action="Deactivate"
      danger
      onClose={onClose}
      run={async () => {
        await request(SetChannelsActiveDocument, { ids: idsOf(channels), active: false });
        await channelsChanged();
        toast(channels.length === 1 ? `${channelsIn(channels)} is off` : `${channelsIn(channels)} are off`);
        onDone();
      }}
    >
      <Names channels={channels} />
      <p>
        Nothing is told there until somebody activates {channels.length === 1 ? 'it' : 'them'} again.
        {waiting > 0 && <strong> {plural(waiting, 'delivery', 'deliveries')} that wait will be cancelled.</strong>}
      </p>
    </Confirm>
  );
}

export function ConfirmDelete({ channels, onClose, onDone }: Ends) {
  const waiting = waitingIn(channels);
  return (
    <Confirm
      title={`Delete ${channelsIn(channels)}?`}
      action={channels.length === 1 ? 'Delete' : `Delete ${channels.length}`}
      danger
      onClose={onClose}
      run={async () => {
        const { deleteChannels } = await request(DeleteChannelsDocument, { ids: idsOf(channels) });
        await channelsChanged();
        toast(channels.length === 1 ? `${channelsIn(channels)} is deleted` : `${plural(deleteChannels, 'channel')} are deleted`);
        onDone();
      }}
    >
      <Names channels={channels} />
      <p>
        This cannot be undone. What was told is kept in the deliveries.
        {waiting > 0 && <strong> {plural(waiting, 'delivery', 'deliveries')} that wait will be cancelled.</strong>}
      </p>
    </Confirm>
  );
}

const atOnce = 4;

// Tests several, some at a time, and shows what became of each as it comes.
function TestDialog({ channels, onClose }: { channels: Some[]; onClose: () => void }) {
  const [tested] = useState(channels); // the list behind goes on
  const [results, setResults] = useState<Record<string, TestFragment | Error>>({});
  const begun = useRef(false);
  useEffect(() => {
    if (begun.current) return;
    begun.current = true;
    const left = [...tested];
    const worker = async () => {
      for (let next = left.shift(); next; next = left.shift()) {
        const { id } = next;
        const result = await request(TestChannelDocument, { id }).then(
          ({ testChannel }) => testChannel,
          (error: Error) => error,
        );
        setResults((before) => ({ ...before, [id]: result }));
      }
    };
    void Promise.all(Array.from({ length: atOnce }, worker)).then(channelsChanged);
  }, [tested]);

  const done = Object.keys(results).length;
  const failed = Object.values(results).filter((result) => result instanceof Error || !result.success).length;
  return (
    <Dialog title={`Test ${channelsIn(tested)}`} onClose={onClose} wide>
      <div className="dialog-body">
        <progress className="progress" aria-label="Tested" max={tested.length} value={done} />
        <p role="status">
          {done < tested.length ? `${done} of ${tested.length} tested…` : failed === 0 ? 'All of them work.' : `${failed} of ${tested.length} failed.`}
        </p>
        <ul className="test-results">
          {tested.map(({ id, name }) => {
            const result = results[id];
            return (
              <li key={id}>
                <h3>{name}</h3>
                {!result ? <p className="muted">Waiting for an answer…</p> : result instanceof Error ? <p className="problem">{result.message}</p> : <TestOutcome result={result} />}
              </li>
            );
          })}
        </ul>
      </div>
      <footer>
        <Button onClick={onClose}>Close</Button>
      </footer>
    </Dialog>
  );
}
