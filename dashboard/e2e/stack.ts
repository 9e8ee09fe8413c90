/* The stack of stack.py, for tests and screenshots. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export type ProgramName = 'collector' | 'httpapi' | 'devicesim';

export interface Start {
  args?: string[];
  settings?: Record<string, string>;
}

const PAUSE_MS = 50;

/** A deadline ends what would hang for ever and judges nothing; PATIENCE=5 makes each five times as long. */
export const PATIENCE_MS = 60_000 * Number(process.env.PATIENCE || 1);

/** Asks until the fact is there. */
export async function until(what: string, fact: () => Promise<boolean>, withinMs = PATIENCE_MS): Promise<void> {
  const deadline = Date.now() + withinMs;

  while (!(await fact())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

export class Stack {
  url = '';
  #process: ChildProcess;
  #waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  #asked = 0;

  private constructor(process: ChildProcess) {
    this.#process = process;
    createInterface({ input: process.stdout! }).on('line', (line) => {
      const { id, result, error } = JSON.parse(line) as { id: number; result?: unknown; error?: string };
      const waiter = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error !== undefined) waiter?.reject(new Error(error));
      else waiter?.resolve(result);
    });
    process.on('exit', (code) => {
      for (const waiter of this.#waiting.values()) waiter.reject(new Error(`stack.py ended with ${code}`));
      this.#waiting.clear();
    });
  }

  /** PostgreSQL and Mosquitto run when this is done. */
  static async open(): Promise<Stack> {
    const script = fileURLToPath(new URL('stack.py', import.meta.url));
    const stack = new Stack(spawn('/usr/bin/python3', [script], { stdio: ['pipe', 'pipe', 'inherit'] }));

    stack.url = ((await stack.#ask('where')) as { http: string }).http;
    return stack;
  }

  #ask(what: string, args: object = {}): Promise<unknown> {
    const id = ++this.#asked;

    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#process.stdin!.write(`${JSON.stringify({ id, do: what, ...args })}\n`);
    });
  }

  async start(program: ProgramName, how: Start = {}): Promise<void> {
    await this.#ask('start', { program, ...how });
  }

  /** Waits until readings that are published now will be stored: before its first start a collector
   * misses what comes. httpapi must run. */
  async ready(): Promise<void> {
    await until('httpapi says ready', async () => (await fetch(new URL('readyz', this.url))).ok);
  }

  async stop(program: ProgramName): Promise<void> {
    await this.#ask('stop', { program });
  }

  async kill(program: ProgramName): Promise<void> {
    await this.#ask('kill', { program });
  }

  async freeze(program: ProgramName): Promise<void> {
    await this.#ask('freeze', { program });
  }

  async thaw(program: ProgramName): Promise<void> {
    await this.#ask('thaw', { program });
  }

  async stopPostgres(): Promise<void> {
    await this.#ask('stop_postgres');
  }

  async startPostgres(): Promise<void> {
    await this.#ask('start_postgres');
  }

  async stopBroker(): Promise<void> {
    await this.#ask('stop_broker');
  }

  async startBroker(): Promise<void> {
    await this.#ask('start_broker');
  }

  async sql(statement: string): Promise<string> {
    return (await this.#ask('sql', { statement })) as string;
  }

  async publish(deviceId: string, reading: object): Promise<void> {
    await this.publishRaw(`devices/${deviceId}/readings`, JSON.stringify(reading));
  }

  async publishRaw(topic: string, payload: string): Promise<void> {
    await this.#ask('publish', { topic, payload });
  }

  /** By topic, what someone gets who subscribes now. */
  async retained(topic: string): Promise<Record<string, string>> {
    return (await this.#ask('retained', { topic })) as Record<string, string>;
  }

  async log(program: ProgramName): Promise<string> {
    return (await this.#ask('log', { program })) as string;
  }

  async json<T>(path: string): Promise<T> {
    const response = await fetch(new URL(path, this.url));
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Ends everything, and waits for it. */
  async close(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.stdin!.end();
    await ended;
  }
}
