# Makes crossing.json: 1,000 trials with crossing hazards, simulated and analysed in R (survival, mvtnorm), for verification/analysis/test_crossing_hazards.py.
#   Rscript crossing.R > crossing.json
# 300 patients, Poisson accrual of 15 a month, cut at month 40; hazard 0.06 a month in the control arm; hazard ratio 1.4 for 4 months, 0.5 after; 3 % a year lost.
library(survival)
library(mvtnorm)
set.seed(99)
trials <- 1000; n <- 300; late <- 0.5; early <- 1.4; base <- 0.06; turn <- 4; cut <- 40; lost_rate <- 0.03 / 12
limit <- qnorm(0.975)
pairs <- list(c(0, 0), c(0, 1), c(1, 0), c(1, 1))
one <- function(hr1, hr2) {
  entry <- cumsum(rexp(n, 15))
  group <- as.vector(replicate(n / 4, sample(c(0, 0, 1, 1))))
  h1 <- base * ifelse(group == 1, hr1, 1); h2 <- base * ifelse(group == 1, hr2, 1)
  e <- rexp(n)
  time <- ifelse(e < h1 * turn, e / h1, turn + (e - h1 * turn) / h2)
  lost <- rexp(n, lost_rate); follow <- cut - entry
  seen <- pmin(time, lost, follow); event <- as.integer(time <= pmin(lost, follow))
  d <- data.frame(time = seen, event, group)
  total <- survfit(Surv(time, event) ~ 1, d)
  at <- n - rowSums(outer(total$time, seen, ">")) ; at1 <- sapply(total$time, function(t) sum(seen >= t & group == 1))
  dead1 <- sapply(total$time, function(t) sum(seen == t & event == 1 & group == 1))
  before <- c(1, head(total$surv, -1)); m <- total$n.risk; k <- total$n.event; p <- at1 / m
  v <- ifelse(m > 1, k * p * (1 - p) * (m - k) / (m - 1), 0)
  w <- sapply(pairs, function(x) before^x[1] * (1 - before)^x[2])
  covariance <- t(w) %*% (w * v); z <- colSums(w * (k * p - dead1)) / sqrt(diag(covariance))
  p_max <- 1 - pmvnorm(upper = rep(max(z), 4), corr = cov2cor(covariance), algorithm = GenzBretz(maxpts = 20000, abseps = 2e-4))
  fit <- survfit(Surv(time, event) ~ group, d)
  tab <- summary(fit, rmean = 24)$table
  rmst <- (tab[2, "rmean"] - tab[1, "rmean"]) / sqrt(sum(tab[, "se(rmean)"]^2))
  mark <- summary(fit, times = 24, extend = TRUE)
  mile <- (mark$surv[2] - mark$surv[1]) / sqrt(sum(mark$std.err^2))
  c(z[1] >= limit, z[2] >= limit, p_max <= 0.025, rmst >= limit, mile >= limit, sum(event), coef(coxph(Surv(time, event) ~ group, d)))
}
say <- function(name, hr1, hr2) {
  found <- rowMeans(replicate(trials, one(hr1, hr2)))
  sprintf('"%s": {"hr": [%g, %g], "shares": [%s], "events": %.4f, "log_hr": %.5f}', name, hr1, hr2, paste(sprintf("%.5f", found[1:5]), collapse = ", "), found[6], found[7])
}
cat(sprintf('{"made_with": "R %s, survival %s, mvtnorm %s", "trials": %d, "tests": ["logrank", "fh(0,1)", "maxcombo", "rmst 24", "milestone 24"],\n%s,\n%s}\n',
  getRversion(), packageVersion("survival"), packageVersion("mvtnorm"), trials, say("crossing", early, late), say("null", 1, 1)))
