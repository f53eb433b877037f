/** Names and numbers of Linux's socket options (linux/socket.h, linux/tcp.h). */
export const SOL_SOCKET = 1
export const SO_KEEPALIVE = 9
export const IPPROTO_TCP = 6
export const TCP_KEEPIDLE = 4
export const TCP_KEEPINTVL = 5
export const TCP_KEEPCNT = 6
export const TCP_INFO = 11
export const TCP_USER_TIMEOUT = 18
/** Since Linux 6.15. */
export const TCP_RTO_MAX_MS = 44
