// A channel, to be made or changed. Its form is drawn from what the server tells of its type.
import { useMutation } from '@tanstack/react-query';
import { useEffect, useId, useRef, useState, type FormEvent } from 'react';
import { useLocation } from 'wouter';
import { ApiError, request } from '../api/client.ts';
import { CreateChannelDocument, TestChannelConfigDocument, UpdateChannelDocument, type ChannelQuery, type ChannelType, type CreateChannelInput, type Severity, type UpdateChannelInput } from '../gql/graphql.ts';
import { useAskBeforeLeaving } from '../lib/leave.ts';
import { plural } from '../lib/time.ts';
import { SeverityMark, severities } from '../ui/badges.tsx';
import { Button } from '../ui/button.tsx';
import { Choice } from '../ui/fields.tsx';
import { faultAt, Field, notes } from '../ui/form.tsx';
import { DeliveryIcon } from '../ui/icons.tsx';
import { Problem } from '../ui/states.tsx';
import { toast } from '../ui/toast.tsx';
import { ListInput, SettingField } from './fields.tsx';
import { channelsChanged } from './live.ts';
import { configOf, filled, inputName, namedTwice, settingsOf, valuesOf, type TypeInfo, type Values } from './settings.ts';
import { TemplatePreview } from './template-preview.tsx';
import { TestOutcome } from './test-outcome.tsx';

type Full = ChannelQuery['channel'] & object;
type Limit = { on: boolean; perMinute: string; burst: string };

type Draft = {
  name: string;
  values: Values;
  minSeverity: Severity;
  alertTypes: string[];
  isActive: boolean;
  limit: Limit;
  notifyOnResolve: boolean;
  notifyOnAcknowledge: boolean;
};

const limitOf = (limit: { perMinute: number; burst: number } | null): Limit =>
  limit ? { on: true, perMinute: String(limit.perMinute), burst: String(limit.burst) } : { on: false, perMinute: '60', burst: '10' };

const draftOf = (type: TypeInfo, channel: Full | undefined): Draft =>
  channel
    ? {
        name: channel.name,
        values: valuesOf(type, settingsOf(channel.config)),
        minSeverity: channel.minSeverity,
        alertTypes: channel.alertTypes.length > 0 ? channel.alertTypes : [''],
        isActive: channel.isActive,
        limit: limitOf(channel.rateLimit),
        notifyOnResolve: channel.notifyOnResolve,
        notifyOnAcknowledge: channel.notifyOnAcknowledge,
      }
    : {
        name: '',
        values: valuesOf(type),
        minSeverity: 'LOW',
        alertTypes: [''],
        isActive: true,
        limit: limitOf(type.rateLimit),
        notifyOnResolve: type.notifyOnResolve,
        notifyOnAcknowledge: type.notifyOnAcknowledge,
      };

// What is no number is sent as it is: the server says what it would take.
const wholeNumber = (text: string) => (/^\d{1,9}$/.test(text.trim()) ? Number(text) : Number.NaN);

function inputOf(type: TypeInfo, draft: Draft): CreateChannelInput {
  const { limit } = draft;
  return {
    name: draft.name.trim(),
    config: configOf(type, draft.values),
    minSeverity: draft.minSeverity,
    alertTypes: filled(draft.alertTypes),
    isActive: draft.isActive,
    rateLimit: limit.on ? { perMinute: wholeNumber(limit.perMinute), burst: wholeNumber(limit.burst) } : null,
    notifyOnResolve: draft.notifyOnResolve,
    notifyOnAcknowledge: draft.notifyOnAcknowledge,
  };
}

// Only what was changed is sent: what somebody else changes meanwhile stays.
function changesOf(before: CreateChannelInput, after: CreateChannelInput): UpdateChannelInput {
  return Object.fromEntries(Object.entries(after).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name as keyof CreateChannelInput])));
}

const faulty = (field: string, message: string) => new ApiError(`${field}: ${message}`, 'BAD_USER_INPUT', field);

export function ChannelForm({ types, channel, onDone }: { types: TypeInfo[]; channel?: Full; onDone: (id: string | undefined) => void }) {
  const [chosen, setChosen] = useState<ChannelType>(channel?.type ?? types[0]!.type);
  const type = types.find((one) => one.type === chosen)!;
  const [first] = useState(() => draftOf(type, channel)); // what the channel was when the form was opened
  const [draft, setDraft] = useState(first);
  const [, navigate] = useLocation();
  const form = useRef<HTMLFormElement>(null);
  const id = useId();

  const set = (changes: Partial<Draft>) => setDraft((before) => ({ ...before, ...changes }));
  const release = useAskBeforeLeaving(JSON.stringify(draft) !== JSON.stringify(first));
  const cancel = () => {
    release();
    if (channel) onDone(undefined);
    else navigate('/channels');
  };
  const choose = (next: TypeInfo) => {
    setChosen(next.type);
    const { values, limit, notifyOnResolve, notifyOnAcknowledge } = draftOf(next, undefined);
    set({ values, limit, notifyOnResolve, notifyOnAcknowledge });
    save.reset();
    test.reset();
  };

  const checked = () => {
    const twice = namedTwice(type, draft.values);
    if (twice) throw faulty(`input.config.${inputName(type)}.${twice.field}.${twice.name}`, 'this name stands twice');
    const input = inputOf(type, draft);
    for (const name of ['perMinute', 'burst'] as const) {
      if (input.rateLimit && Number.isNaN(input.rateLimit[name])) throw faulty(`input.rateLimit.${name}`, 'give a whole number, 1 or more');
    }
    return input;
  };

  const save = useMutation({
    mutationFn: async () => {
      const input = checked();
      if (!channel) return (await request(CreateChannelDocument, { input })).createChannel.id;
      const changes = changesOf(inputOf(type, first), input);
      if (Object.keys(changes).length > 0) await request(UpdateChannelDocument, { id: channel.id, input: changes });
      return channel.id;
    },
    onSuccess: async (saved) => {
      toast(channel ? `${draft.name.trim()} is saved` : `${draft.name.trim()} is made`);
      await channelsChanged();
      release();
      onDone(saved);
    },
  });
  const test = useMutation({
    mutationFn: async () => (await request(TestChannelConfigDocument, { config: checked().config, channelId: channel?.id ?? null })).testChannelConfig,
    onSettled: () => channel && void channelsChanged(),
  });

  const error = save.error ?? test.error;
  const fault = (place: string) => faultAt(error, pathOf(place, type));
  const placed = placesOf(type).some(fault);
  useEffect(() => {
    if (!error) return;
    const wrong = form.current?.querySelector<HTMLElement>('[aria-invalid="true"]');
    wrong?.scrollIntoView({ block: 'center' }); // not behind the buttons, which stay in sight
    wrong?.focus({ preventScroll: true });
  }, [error]);

  const outcome = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (test.data) outcome.current?.scrollIntoView({ block: 'nearest' });
  }, [test.data]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    test.reset();
    save.mutate();
  };
  const saved = channel && first.values;

  return (
    <form ref={form} className="channel-form" onSubmit={submit} noValidate aria-label={channel ? `Edit ${channel.name}` : 'New channel'}>
      {!channel && (
        <fieldset className="type-cards">
          <legend className="label">Where to</legend>
          <div>
            {types.map((one) => (
              <label key={one.type} className={one.type === chosen ? 'type-card chosen' : 'type-card'}>
                <input type="radio" name={`${id}type`} aria-labelledby={`${id}${one.type}`} aria-describedby={`${id}${one.type}help`} checked={one.type === chosen} onChange={() => choose(one)} />
                <strong id={`${id}${one.type}`}>{one.title}</strong>
                <span id={`${id}${one.type}help`}>{one.help}</span>
              </label>
            ))}
          </div>
        </fieldset>
      )}
      <Field id={`${id}name`} label="Name" help="How you call it. Unique among the channels." fault={fault('name')}>
        <input id={`${id}name`} type="text" aria-required aria-invalid={fault('name') ? true : undefined} aria-describedby={notes(`${id}name`, fault('name'))} value={draft.name} maxLength={255} autoComplete="off" onChange={(event) => set({ name: event.target.value })} />
      </Field>

      <section className="form-part" aria-labelledby={`${id}settings`}>
        <header>
          <h2 id={`${id}settings`}>{type.title}</h2>
          <a className="small" href={type.docs} target="_blank" rel="noreferrer">
            How to set it up
          </a>
        </header>
        {type.fields.map((field) => (
          <SettingField
            key={`${type.type}.${field.name}`}
            field={field}
            value={draft.values[field.name]!}
            saved={saved?.[field.name]}
            fault={fault(`config.${field.name}`)}
            onChange={(value) => set({ values: { ...draft.values, [field.name]: value } })}
            beside={field.name === 'bodyTemplate' && <TemplatePreview template={draft.values[field.name] as string} />}
          />
        ))}
        <div className="try">
          <Button icon={DeliveryIcon} busy={test.isPending} onClick={() => (save.reset(), test.mutate())}>
            {test.isPending ? 'Testing…' : 'Send a test'}
          </Button>
          <span className="muted small">Sends a test alert with these settings now, for real. Nothing is saved.</span>
          <div ref={outcome} className="try-result" role="status">
            {test.data && <TestOutcome result={test.data} />}
          </div>
        </div>
      </section>

      <section className="form-part" aria-labelledby={`${id}what`}>
        <header>
          <h2 id={`${id}what`}>What it is told</h2>
        </header>
        <div className="field">
          <span className="label">Severity</span>
          <Choice
            label="Least severity"
            all={[...severities].reverse()}
            chosen={draft.minSeverity}
            onChange={(minSeverity) => set({ minSeverity })}
            show={(severity) => (
              <>
                <SeverityMark severity={severity} withName />
                {severity !== 'HIGH' && <span className="up">and up</span>}
              </>
            )}
          />
        </div>
        <fieldset className="field">
          <legend className="label">
            Alert types<span className="optional">optional</span>
          </legend>
          <ListInput label="Alert type" example="high_cpu" list={draft.alertTypes} fault={fault('alertTypes')} addLabel="Add a type" onChange={(alertTypes) => set({ alertTypes })} />
          <p className="fault" role="alert">
            {fault('alertTypes')?.message}
          </p>
          <p className="help">Only alerts of these types, exactly as written. None: all types.</p>
        </fieldset>
        <label className="check">
          <input type="checkbox" checked={draft.notifyOnResolve} onChange={(event) => set({ notifyOnResolve: event.target.checked })} />
          <span>Tell it, too, when an alert is resolved</span>
        </label>
        <label className="check">
          <input type="checkbox" checked={draft.notifyOnAcknowledge} onChange={(event) => set({ notifyOnAcknowledge: event.target.checked })} />
          <span>Tell it, too, when somebody acknowledges an alert</span>
        </label>
        <label className="check">
          <input type="checkbox" checked={draft.limit.on} onChange={(event) => set({ limit: { ...draft.limit, on: event.target.checked } })} />
          <span>Limit how many messages it gets</span>
        </label>
        {draft.limit.on && (
          <div className="limit">
            {(['perMinute', 'burst'] as const).map((name) => (
              <Field key={name} id={`${id}${name}`} label={name === 'perMinute' ? 'A minute' : 'At once'} fault={fault(`rateLimit.${name}`)}>
                <input id={`${id}${name}`} type="text" inputMode="numeric" aria-invalid={fault(`rateLimit.${name}`) ? true : undefined} aria-describedby={notes(`${id}${name}`, fault(`rateLimit.${name}`))} value={draft.limit[name]} autoComplete="off" onChange={(event) => set({ limit: { ...draft.limit, [name]: event.target.value } })} />
              </Field>
            ))}
            <p className="help">{type.digests ? 'Nothing is dropped: what waits is told together in one message.' : 'Nothing is dropped: what waits is told later, each alert by itself.'}</p>
          </div>
        )}
        <label className="check">
          <input type="checkbox" checked={draft.isActive} onChange={(event) => set({ isActive: event.target.checked })} />
          <span>
            Active
            {channel?.isActive && !draft.isActive && channel.health.waiting > 0 && <em className="warn-text"> {`${plural(channel.health.waiting, 'delivery', 'deliveries')} that wait will be cancelled.`}</em>}
          </span>
        </label>
      </section>

      <footer className="form-foot">
        <Button type="submit" kind="primary" busy={save.isPending}>
          {channel ? 'Save' : 'Make the channel'}
        </Button>
        <Button onClick={cancel}>Cancel</Button>
        <Problem error={placed ? null : error} />
        {placed && save.error && (
          <p className="problem" aria-hidden="true">
            Not saved: see what is marked.
          </p>
        )}
      </footer>
    </form>
  );
}

// The path of a place in the input: config.url is config.webhook.url.
const pathOf = (place: string, type: TypeInfo) => place.replace(/^config\./, `config.${inputName(type)}.`);

const placesOf = (type: TypeInfo) => ['name', 'alertTypes', 'rateLimit.perMinute', 'rateLimit.burst', ...type.fields.map(({ name }) => `config.${name}`)];
