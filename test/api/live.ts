/** Settings of an installation whose live world is open, and reaches nothing outside this machine. */
export const LIVE = {
  MAILSTEAD_NAMESERVER_ZONE: 'ns.mailstead-platform.com',
  MAILSTEAD_NAMESERVER_ADDRESSES: '2001:4860:4860::8844,2001:4860:4860::8888',
  MAILSTEAD_MAIL_HOST: 'mx.mailstead-platform.com',
  MAILSTEAD_MAIL_HOST_ADDRESSES: '2001:4860:4860::8844',
  MAILSTEAD_HTTP_HOSTS: 'api.mailstead-console.com',
  // A documentation address (RFC 5737), which no live world connects to.
  MAILSTEAD_ROOT_HINTS: '192.0.2.1',
  MAILSTEAD_WAIT_MS: '500',
}

/** A laboratory: live mode alone, on private addresses. */
export const LABORATORY = {
  MAILSTEAD_LABORATORY: 'true',
  MAILSTEAD_NAMESERVER_ZONE: 'ns.laboratory.internal',
  MAILSTEAD_MAIL_HOST: 'mx.laboratory.internal',
  // Port 9 is discard: nobody answers there.
  MAILSTEAD_ROOT_HINTS: '127.0.0.1:9',
  MAILSTEAD_WAIT_MS: '500',
}
