/** How a status affects our nameservers' answers. Pure. */

/** The statuses of domains that are being set up, which are served before they hold their names. */
export const SET_UP: readonly string[] = ['PENDING', 'DNS_CONFIGURING', 'DNS_PENDING']

/** The statuses of domains that wait for their delegation: a query for such a name is a reason to look. */
const AWAITED: readonly string[] = [...SET_UP, 'FAILED']

/** How a status affects the serving of the name, and whether a query wakes the domain. */
export const servedAs = (status: string): 'set up' | 'awaited' | 'settled' =>
  SET_UP.includes(status) ? 'set up' : AWAITED.includes(status) ? 'awaited' : 'settled'
