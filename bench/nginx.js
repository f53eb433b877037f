// A real nginx for the length of the run: own configuration and port, one worker, on the core left to servers.

import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readStatus } from './status.js'

/** The body of every response, 100 bytes: small, so that what is measured is the client and not the copying. */
export const BODY = 'keepwise '.repeat(12).slice(0, 100)

/** Starts nginx and waits until it answers. `prefix` is a command to run it under, such as taskset. */
export async function startNginx(prefix) {
  if (spawnSync('nginx', ['-v']).status !== 0) throw new Error('nginx is missing: install it, a real one is needed')
  const directory = mkdtempSync(join(tmpdir(), 'keepwise-bench-'))
  const port = await freePort()
  const configuration = join(directory, 'nginx.conf')
  writeFileSync(configuration, configure(directory, port))

  const log = join(directory, 'error.log')
  const [command, ...args] = [...prefix, 'nginx', '-p', directory, '-c', configuration, '-e', log]
  const master = spawn(command, args, { stdio: 'ignore' })
  const exited = new Promise((resolve) => master.once('exit', resolve))

  const kill = () => {
    master.kill('SIGTERM')
    rmSync(directory, { recursive: true, force: true })
  }
  process.once('exit', kill)

  const stop = async () => {
    process.removeListener('exit', kill)
    kill()
    await exited
  }

  try {
    await answering(port, () => {
      if (master.exitCode !== null) throw new Error(`nginx exited:\n${readFileSync(log, 'utf8')}`)
    })
  } catch (error) {
    await stop()
    throw error
  }
  return { port, origin: `http://127.0.0.1:${port}`, stop }
}

function configure(directory, port) {
  return `
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log error;
events {
  worker_connections 20000;
  multi_accept on;
}
http {
  access_log off;
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  server {
    # A backlog for 5000 clients dialling at once: a dropped SYN would be a second of silence in the warm-up.
    listen 127.0.0.1:${port} backlog=4096;
    location = / {
      default_type text/plain;
      return 200 "${BODY}";
    }
    location = /status {
      stub_status;
    }
  }
}
`
}

/** A port nobody listens on: nginx wants it in its configuration, so that it cannot be left to the kernel. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

async function answering(port, check) {
  for (let attempt = 0; attempt < 100; attempt++) {
    check()
    try {
      return await readStatus(port)
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  throw new Error('nginx did not answer within 5 s')
}
