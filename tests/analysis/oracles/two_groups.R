# Makes two_groups.json: answers of R's survival, mvtnorm and stats packages, for tests/analysis/test_two_groups.py.
#   Rscript two_groups.R > two_groups.json
library(survival)
library(mvtnorm)

number <- function(x) ifelse(is.na(x) | is.infinite(x), "null", formatC(x, digits = 12, format = "g"))
list_of <- function(x) paste0("[", paste(number(x), collapse = ", "), "]")

set.seed(77)
random <- function(n, digits, late = 1) {
  group <- rbinom(n, 1, 0.5)
  stratum <- sample(0:2, n, TRUE)
  base <- rexp(n, 0.1 * (1 + stratum / 2))
  time <- ifelse(group == 1 & base > 5, 5 + (base - 5) * late, base)
  cut <- runif(n, 3, 30)
  data.frame(time = round(pmin(time, cut) + 0.1, digits), event = as.integer(time <= cut), group = group, stratum = stratum)
}
crossing <- random(150, 1)
crossing$time[crossing$group == 1] <- round(abs(crossing$time[crossing$group == 1] - 2) ^ 1.15 + 0.1, 1)
one_event <- data.frame(time = c(3, 4, 5, 6, 7, 8), event = c(0, 0, 1, 0, 0, 0), group = c(0, 1, 1, 0, 1, 0), stratum = c(0, 0, 0, 0, 0, 0))
lone_stratum <- rbind(random(60, 0), data.frame(time = c(4, 9), event = c(1, 1), group = c(1, 1), stratum = c(9, 9)))
sets <- list(ties = random(90, 0), fine = random(200, 2), delayed = random(160, 1, 2.5), crossing = crossing, one_event = one_event,
             lone_stratum = lone_stratum)

# Weighted log-rank with any (rho, gamma), and covariances, from the risk tables of survfit.
weighted <- function(d, pairs) {
  total <- survfit(Surv(time, event) ~ 1, d)
  part <- summary(survfit(Surv(time, event) ~ 1, d[d$group == 1, ]), times = total$time, extend = TRUE)
  at <- sapply(total$time, function(t) sum(d$time >= t & d$group == 1))
  dead <- sapply(total$time, function(t) sum(d$time == t & d$event == 1 & d$group == 1))
  before <- c(1, head(total$surv, -1))
  n <- total$n.risk; e <- total$n.event; p <- at / n
  v <- ifelse(n > 1, e * p * (1 - p) * (n - e) / (n - 1), 0)
  w <- sapply(pairs, function(x) before^x[1] * (1 - before)^x[2])
  list(u = colSums(w * (e * p - dead)), v = t(w) %*% (w * v))
}
pairs <- list(c(0, 0), c(0, 1), c(1, 0), c(1, 1))
times <- c(2, 6, 12)
out <- c()
for (name in names(sets)) {
  d <- sets[[name]]
  fields <- c(sprintf('"time": %s', list_of(d$time)), sprintf('"event": %s', list_of(d$event)), sprintf('"group": %s', list_of(d$group)),
              sprintf('"stratum": %s', list_of(d$stratum)))
  plain <- survdiff(Surv(time, event) ~ group, d)
  peto <- survdiff(Surv(time, event) ~ group, d, rho = 1)
  fields <- c(fields, sprintf('"log_rank": %s', list_of(c(plain$chisq, plain$obs[2], plain$exp[2], plain$var[2, 2]))),
              sprintf('"rho_1": %s', number(peto$chisq)))
  if (name != "one_event") {
    strat <- survdiff(Surv(time, event) ~ group + strata(stratum), d)
    cox <- coxph(Surv(time, event) ~ group + strata(stratum), d, ties = "efron")
    m <- weighted(d, pairs)
    z <- m$u / sqrt(diag(m$v)); r <- cov2cor(m$v)
    better <- 1 - pmvnorm(upper = rep(max(z), 4), corr = r, algorithm = GenzBretz(maxpts = 2e6, abseps = 1e-7))
    either <- 1 - pmvnorm(lower = rep(-max(abs(z)), 4), upper = rep(max(abs(z)), 4), corr = r, algorithm = GenzBretz(maxpts = 2e6, abseps = 1e-7))
    fields <- c(fields, sprintf('"stratified": %s', number(strat$chisq)), sprintf('"stratified_log_hr": %s', list_of(c(coef(cox), sqrt(vcov(cox))))),
                sprintf('"weighted_z": %s', list_of(z)), sprintf('"weighted_correlation": %s', list_of(c(r))),
                sprintf('"max_combo_p": %s', list_of(c(better, either))))
    for (g in 0:1) {
      fit <- survfit(Surv(time, event) ~ 1, d[d$group == g, ])
      tab <- summary(fit, rmean = 10)$table
      mark <- summary(fit, times = times)
      fields <- c(fields, sprintf('"rmst_%d": %s', g, list_of(c(tab["rmean"], tab["se(rmean)"]))),
                  sprintf('"milestones_%d": %s', g, list_of(mark$surv)), sprintf('"milestone_se_%d": %s', g, list_of(mark$std.err)))
    }
    for (kind in c("plain", "log", "log-log", "logit", "arcsin")) {
      fit <- survfit(Surv(time, event) ~ 1, d, conf.type = kind, conf.int = 0.9)
      med <- quantile(fit, 0.5)
      fields <- c(fields, sprintf('"km_%s": [%s, %s, %s]', kind, list_of(fit$lower), list_of(fit$upper), list_of(c(med$lower, med$upper))))
    }
  }
  out <- c(out, sprintf('"%s": {%s}', name, paste(fields, collapse = ",\n  ")))
}
# Newcombe's method 10 from the score intervals of prop.test.
newcombe <- function(x, n, level) {
  w <- lapply(1:2, function(i) suppressWarnings(prop.test(x[i], n[i], correct = FALSE, conf.level = level)$conf.int))
  p <- x / n
  list_of(c(x[1], n[1], x[2], n[2], level, p[1] - p[2] - sqrt((p[1] - w[[1]][1])^2 + (w[[2]][2] - p[2])^2),
            p[1] - p[2] + sqrt((w[[1]][2] - p[1])^2 + (p[2] - w[[2]][1])^2)))
}
differences <- c(newcombe(c(56, 48), c(70, 80), 0.95), newcombe(c(9, 3), c(10, 10), 0.95), newcombe(c(0, 0), c(10, 20), 0.95),
                 newcombe(c(10, 0), c(10, 20), 0.9), newcombe(c(27, 15), c(54, 54), 0.95))
out <- c(out, sprintf('"newcombe": [%s]', paste(differences, collapse = ", ")))
r3 <- matrix(c(1, 0.5, 0.2, 0.5, 1, 0.7, 0.2, 0.7, 1), 3)
box <- pmvnorm(lower = c(-1, -Inf, -2), upper = c(1.5, 0.3, 2), corr = r3, algorithm = Miwa(steps = 1024))
out <- c(out, sprintf('"box": %s', number(box)))
cat("{", paste(c(sprintf('"made_with": "R %s, survival %s, mvtnorm %s"', getRversion(), packageVersion("survival"), packageVersion("mvtnorm")), out),
               collapse = ",\n"), "}\n")
