/** A DKIM key pair: the private key as PEM, the public one as base64 of its SubjectPublicKeyInfo. */
export type DkimKey = { selector: string; privateKey: string; publicKey: string }
