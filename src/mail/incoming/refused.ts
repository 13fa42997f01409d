/** The reply to a message that is refused for good because of its form. */
export type Refused = { is: 'refused'; code: number; enhanced: string; text: string }

export const BARE_LINE_END: Refused = {
  is: 'refused',
  code: 554,
  enhanced: '5.6.0',
  text: 'Bare CR or LF in the message',
}

export const HEADER_TOO_BIG: Refused = {
  is: 'refused',
  code: 552,
  enhanced: '5.3.4',
  text: 'Header section too big',
}
