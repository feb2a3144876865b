/*
 * GET /metrics: this broker's figures, for Prometheus and what reads its format (klamm.metrics.listener).
 *
 *     scraper --GET--> http_server --> every shard is asked (shard_figures.h) -- all have said theirs --> sums and maxima, the hub's own
 *                                                                                                         figures --> the answer
 *
 * Scrapes that come while shards are asked get the same answer. At most LIMIT_METRICS_SCRAPES wait at a time, each for METRICS_WAIT_MS; whoever
 * is too many or waits too long, and whoever asks while the broker starts or stops, gets 503. Nothing is counted or kept for the page itself.
 *
 * Hub's thread.
 */
#ifndef KLAMM_BROKER_METRICS_PAGE_H
#define KLAMM_BROKER_METRICS_PAGE_H

#include "broker/replica/shard_figures.h"
#include "broker/rt/http_server.h"
#include "common/metrics.h"

#define METRICS_WAIT_MS 5000

struct metrics_scrape {
	struct http_request *request;
	int64_t deadline_ms;
};

struct metrics_port {
	void *ctx;
	/* Whether the shards' workers run. */
	bool (*serves)(void *ctx);
	/* Writes the figures of the hub. */
	void (*write)(void *ctx, struct metrics *metrics);
};

struct metrics_page {
	struct worker *hub;
	struct metrics_port port;
	struct http_server *server; /* NULL: nobody is answered */
	struct shard **shards;
	int n_shards;
	struct shard_asking *askings; /* one for each shard; NULL: none was asked yet */
	int n_out;                    /* shards that have not said theirs */
	struct metrics_scrape scrapes[LIMIT_METRICS_SCRAPES];
	int n_scrapes;
	struct timer timer;
};

/* Listens from now on; a name is looked up, which may block. */
int metrics_page_open(struct metrics_page *page, struct worker *hub, struct slice host, int32_t port_number, const struct metrics_port *port,
		      struct error *err);

/* Who is asked: before the port says that they serve. They live until metrics_page_close. */
void metrics_page_set_shards(struct metrics_page *page, struct shard **shards, int n_shards);

/* When the shards' workers have ended and the hub's mailbox is empty. Also for a page that was never opened. */
void metrics_page_close(struct metrics_page *page);

#endif
