// A program that uses the client which openapi-generator makes: lattices, results, and a measurement as a job.
import { Configuration, LatticesApi, ProceduresApi, ResponseError, ResultsApi, RunningServersApi } from './client/index.ts';

const [url, token] = process.argv.slice(2);
const configuration = new Configuration({ basePath: url, accessToken: token });
const lattices = new LatticesApi(configuration);

const base = await lattices.createLattice({ newLattice: { machine: 'mls' } });
const steerers = await lattices.readSettings({ lattice: base.id, device: 'HS*' });
const { device, property } = steerers.settings.filter((each) => each.property === 'current')[0];
const updates = [{ lattice: base.id, device, property, value: 0.1 }];
const made = await lattices.updateLattices({ updatesRequest: { updates } });
const changed = made.updated[0].lattice.id;
const optics = await lattices.readOptics({ lattice: changed, at: 'monitors' });
const x: number[] = optics.table.columns['x'];
const beam = await lattices.propagate({
  lattice: changed,
  propagateRequest: { phaseSpace: [{ x: 1e-4 }], configuration: { turns: 2, observe: new Set(['tunes']) } },
});

// A refusal is an error with the problem document.
updates[0].value = 1e6;
const refused: any = await lattices
  .updateLattices({ updatesRequest: { updates } })
  .catch((error: ResponseError) => error.response.json());

const running = new RunningServersApi(configuration);
const { servers } = await running.listServers();
const pv = `${device}:setCur`;
const set = await running.makeSettings({ newSettings: { settings: [{ pv, value: 0.05 }], note: 'from TypeScript' } });

const procedures = new ProceduresApi(configuration);
const { procedures: known } = await procedures.listProcedures();
let job = await procedures.startDispersion({ dispersionRequest: { prefix: servers[0].prefix } });
for (const end = Date.now() + 60_000; !['done', 'failed', 'stopped', 'lost'].includes(job.state ?? '') && Date.now() < end; ) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  job = await procedures.readJob({ job: job.id });
}
const { results } = await new ResultsApi(configuration).listResults();

console.log(
  JSON.stringify({
    base: base.id, changed, device, property, x, tune: beam.observations.tunes?.x, lost: beam.losses.length,
    refused: [refused.status, refused.limit, refused.unit],
    made: [set.settings[0]._new.value, set.lattice],
    procedures: known.map((each) => each.name),
    job: [job.state, job.message, job.results], results: results.map((each) => [each.name, each.status]),
  }),
);
