/**
 * What stands between a pool and its servers, and the servers themselves: how long each lets a silent connection be, by its
 * defaults, and whether TCP keepalive probes count as a sign of life. Pure.
 */
import { type LivenessOption, presets } from './presets.js'

/** What is known of something in between, or of a kind of server. */
export interface Middlebox {
  /** Milliseconds of silence after which it closes a connection, or forgets it. Its default: most can be set otherwise. */
  readonly timeout: number
  /**
   * 4: it passes packets on and remembers connections; a probe refreshes its memory, so Ti below `timeout` keeps the
   * connection. 7: it speaks HTTP at both ends; probes are answered by its kernel and do not help.
   */
  readonly layer: 4 | 7
  /** What is to be seen of the end: a FIN; an RST, but only by those who send something; or nothing, ever. */
  readonly ends: 'fin' | 'rst' | 'silence'
  /** Whether it says so in `Keep-Alive: timeout=`. */
  readonly advertises: boolean
  /** Where its documentation says so. */
  readonly source: string
}

const L4 = { layer: 4, advertises: false } as const
const L7 = { layer: 7, ends: 'fin', advertises: false } as const

const table = {
  'aws-alb': {
    ...L7,
    timeout: 60_000,
    source: 'https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html',
  },
  'aws-nlb': {
    ...L4,
    timeout: 350_000,
    ends: 'rst',
    source: 'https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html',
  },
  'aws-nat-gateway': {
    ...L4,
    timeout: 350_000,
    ends: 'rst',
    source: 'https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html',
  },
  'aws-network-firewall': {
    ...L4,
    timeout: 350_000,
    ends: 'silence',
    source: 'https://docs.aws.amazon.com/network-firewall/latest/APIReference/API_FlowTimeouts.html',
  },
  'azure-lb': {
    ...L4,
    timeout: 240_000,
    ends: 'silence',
    source: 'https://learn.microsoft.com/azure/load-balancer/load-balancer-tcp-reset',
  },
  'azure-nat-gateway': {
    ...L4,
    timeout: 240_000,
    ends: 'rst',
    source: 'https://learn.microsoft.com/azure/nat-gateway/nat-gateway-resource',
  },
  gcp: {
    ...L4,
    timeout: 600_000,
    ends: 'silence',
    source: 'https://cloud.google.com/compute/docs/troubleshooting/general-tips',
  },
  'gcp-http-lb': {
    ...L7,
    timeout: 610_000,
    source: 'https://cloud.google.com/load-balancing/docs/https/request-distribution',
  },
  cloudflare: {
    ...L7,
    timeout: 400_000,
    source: 'https://developers.cloudflare.com/fundamentals/reference/connection-limits/',
  },
  heroku: {
    ...L7,
    timeout: 90_000,
    source: 'https://devcenter.heroku.com/articles/http-routing#keepalives',
  },
  conntrack: {
    ...L4,
    timeout: 432_000_000,
    ends: 'silence',
    source: 'https://docs.kernel.org/networking/nf_conntrack-sysctl.html',
  },
  'kube-proxy': {
    ...L4,
    timeout: 86_400_000,
    ends: 'silence',
    source: 'https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/',
  },
  ipvs: {
    ...L4,
    timeout: 900_000,
    ends: 'rst',
    source: 'https://man7.org/linux/man-pages/man8/ipvsadm.8.html',
  },
  envoy: {
    ...L7,
    timeout: 3_600_000,
    source: 'https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts',
  },
  haproxy: {
    ...L7,
    timeout: 50_000,
    source: 'https://salsa.debian.org/haproxy-team/haproxy/-/blob/master/debian/haproxy.cfg',
  },
  nginx: {
    ...L7,
    timeout: 75_000,
    source: 'https://nginx.org/en/docs/http/ngx_http_core_module.html#keepalive_timeout',
  },
  apache: {
    ...L7,
    timeout: 5_000,
    advertises: true,
    source: 'https://httpd.apache.org/docs/2.4/mod/core.html#keepalivetimeout',
  },
  caddy: {
    ...L7,
    timeout: 300_000,
    source: 'https://caddyserver.com/docs/caddyfile/options#timeouts',
  },
  traefik: {
    ...L7,
    timeout: 180_000,
    source: 'https://doc.traefik.io/traefik/routing/entrypoints/#respondingtimeouts',
  },
  node: {
    ...L7,
    timeout: 5_000,
    advertises: true,
    source: 'https://nodejs.org/api/http.html#serverkeepalivetimeout',
  },
  gunicorn: {
    ...L7,
    timeout: 2_000,
    source: 'https://docs.gunicorn.org/en/stable/settings.html#keepalive',
  },
  uvicorn: {
    ...L7,
    timeout: 5_000,
    source: 'https://www.uvicorn.org/settings/#timeouts',
  },
  puma: {
    ...L7,
    timeout: 65_000,
    source: 'https://github.com/puma/puma/pull/3378',
  },
  tomcat: {
    ...L7,
    timeout: 20_000,
    advertises: true,
    source: 'https://tomcat.apache.org/tomcat-10.1-doc/config/http.html',
  },
  jetty: {
    ...L7,
    timeout: 30_000,
    source: 'https://jetty.org/docs/jetty/12/operations-guide/modules/standard.html',
  },
  kestrel: {
    ...L7,
    timeout: 130_000,
    source:
      'https://learn.microsoft.com/dotnet/api/microsoft.aspnetcore.server.kestrel.core.kestrelserverlimits.keepalivetimeout',
  },
  iis: {
    ...L7,
    timeout: 120_000,
    source: 'https://learn.microsoft.com/iis/configuration/system.applicationhost/sites/sitedefaults/limits',
  },
} as const satisfies Record<string, Middlebox>

/** What can be named in the option `through`: `docs/tuning.md` lists them. */
export type MiddleboxName = keyof typeof table

/** What is known of each, by name. */
export const middleboxes: Readonly<Record<MiddleboxName, Middlebox>> = table

export interface NamedMiddlebox extends Middlebox {
  readonly name: MiddleboxName
}

export const middleboxNames = Object.keys(middleboxes) as MiddleboxName[]

export const named = (name: MiddleboxName): NamedMiddlebox => ({ name, ...middleboxes[name] })

/** The kernel's timers may be late by an eighth of their time. */
const LATENESS = 1 / 8

/**
 * Whether probes keep a connection in the memory of what is in between.
 *
 * @param idle Ti; undefined where nothing probes
 */
export function keepsAwake({ layer, timeout }: Middlebox, idle: number | undefined): boolean {
  return layer === 4 && idle !== undefined && idle * (1 + LATENESS) < timeout
}

/** The one that ends an idle connection first; undefined where none does, be it because of the probes. */
export function firstToEnd<Box extends Middlebox>(boxes: readonly Box[], idle: number | undefined): Box | undefined {
  let first: Box | undefined
  for (const box of boxes)
    if (!keepsAwake(box, idle) && (first === undefined || box.timeout < first.timeout)) first = box
  return first
}

/** The `liveness` to use where none is asked for: the default, or a triple that keeps all of them awake. */
export function livenessThrough(boxes: readonly Middlebox[], usual: keyof typeof presets): LivenessOption {
  const { idle, interval, probes } = presets[usual]
  const forgetful = firstToEnd(
    boxes.filter(({ layer }) => layer === 4),
    idle,
  )
  if (forgetful === undefined) return usual
  // Half of the time, so that it can do without one probe that is lost.
  const wholeSeconds = 1000 * Math.max(1, Math.floor(forgetful.timeout / 2000))
  return { idle: wholeSeconds, interval: Math.min(interval, wholeSeconds), probes }
}
