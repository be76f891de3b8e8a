/** As little of a web framework as this example needs: JSON in, JSON out. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { CoordError } from 'embedded-coord'

/** What a route answers: a status and what is sent as JSON. */
export type Answer = readonly [status: number, body: unknown]

/** By method and path, such as `GET /status`. A route is given the body of the request. */
export type Routes = Readonly<Record<string, (body: unknown) => Promise<Answer>>>

/** What the customer got wrong. */
export class BadRequest extends Error {}

/** A server that asks for its routes at each request: it can listen, and say so, before there are any. */
export function jsonServer(routes: () => Routes | undefined): Server {
  const server = createServer((request, response) => {
    void answer(routes(), request).then(([status, body]) => {
      // Who is answered while the server closes should not come back by this connection.
      const connection = server.listening ? 'keep-alive' : 'close'
      response.writeHead(status, { 'content-type': 'application/json', connection })
      response.end(`${JSON.stringify(body)}\n`)
    })
  })
  return server
}

async function answer(routes: Routes | undefined, request: IncomingMessage): Promise<Answer> {
  if (routes === undefined) return [503, { error: 'joining the ensemble' }]
  const name = `${request.method} ${request.url}`
  const route = Object.hasOwn(routes, name) ? routes[name] : undefined
  if (route === undefined) return [404, { error: `${name} is not one of ${Object.keys(routes).join(', ')}` }]
  try {
    return await route(await readJson(request))
  } catch (error) {
    if (error instanceof BadRequest) return [400, { error: error.message }]
    // No quorum, or it is not known what became of the request: the customer may repeat it, here or elsewhere.
    if (error instanceof CoordError) return [503, { error: error.message, code: error.code }]
    console.error(error)
    return [500, { error: 'an error of ours' }]
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch {
    throw new BadRequest('the body is no JSON')
  }
}
