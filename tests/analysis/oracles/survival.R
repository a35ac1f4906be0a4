# Makes survival.json: answers of R's survival package on small data sets with ties, for tests/analysis/test_survival.py and test_cox.py.
#   Rscript survival.R > survival.json
library(survival)

number <- function(x) ifelse(is.na(x), "null", ifelse(is.infinite(x), "null", formatC(x, digits = 12, format = "g")))
list_of <- function(x) paste0("[", paste(number(x), collapse = ", "), "]")

set.seed(20)
random <- function(n, scale, digits) {
  time <- round(rexp(n, 1 / scale) + 0.1, digits)
  cut <- round(runif(n, 1, 30), digits)
  data.frame(time = pmin(time, cut), event = as.integer(time <= cut), group = rbinom(n, 1, 0.5))
}
small <- data.frame(
  time = c(6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35, 1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23),
  event = c(1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, rep(1, 21)),
  group = c(rep(1, 21), rep(0, 21)))  # Gehan EA. Biometrika 1965;52:203-223
flat <- data.frame(time = c(1, 2, 3, 4, 5, 6), event = c(1, 1, 1, 0, 0, 0), group = c(0, 1, 0, 1, 0, 1))
even <- data.frame(time = c(1, 2, 3, 4), event = c(1, 1, 1, 1), group = c(0, 1, 1, 0))
sets <- list(gehan = small, coarse = random(60, 8, 0), fine = random(80, 12, 2), flat_at_half = flat, four_deaths = even)

out <- c()
for (name in names(sets)) {
  d <- sets[[name]]
  fit <- survfit(Surv(time, event) ~ 1, data = d, conf.type = "log-log")
  med <- quantile(fit, 0.5)
  cox <- coxph(Surv(time, event) ~ group, data = d, ties = "efron")
  ci <- summary(cox)$conf.int
  rank <- survdiff(Surv(time, event) ~ group, data = d)
  mark <- summary(fit, times = c(1, 4, 6), extend = TRUE)
  fields <- c(
    sprintf('"time": %s', list_of(d$time)), sprintf('"event": %s', list_of(d$event)), sprintf('"group": %s', list_of(d$group)),
    sprintf('"km_time": %s', list_of(fit$time)), sprintf('"survival": %s', list_of(fit$surv)),
    sprintf('"lower": %s', list_of(fit$lower)), sprintf('"upper": %s', list_of(fit$upper)),
    sprintf('"at_risk": %s', list_of(fit$n.risk)), sprintf('"events": %s', list_of(fit$n.event)), sprintf('"censored": %s', list_of(fit$n.censor)),
    sprintf('"median": %s', list_of(c(med$quantile, med$lower, med$upper))),
    sprintf('"landmark": %s', list_of(mark$surv)),
    sprintf('"log_hr": %s', number(coef(cox))), sprintf('"se": %s', number(sqrt(vcov(cox)[1, 1]))),
    sprintf('"hr": %s', list_of(c(ci[1, 1], ci[1, 3], ci[1, 4]))),
    sprintf('"chisq": %s', number(rank$chisq)))
  out <- c(out, sprintf('  "%s": {\n    %s\n  }', name, paste(fields, collapse = ",\n    ")))
}
# The edges: what R says, or why it refuses.
said <- function(made) tryCatch(made, error = function(e) sprintf('"%s"', trimws(conditionMessage(e))), warning = function(w) "null")
edges <- list(
  all_censored = data.frame(time = c(2, 3, 3, 5, 8), event = 0, group = c(0, 1, 0, 1, 1)),
  one_event = data.frame(time = c(3, 4, 5, 6, 7, 8), event = c(0, 0, 1, 0, 0, 0), group = c(0, 1, 1, 0, 1, 0)),
  one_event_at_the_end = data.frame(time = c(3, 4, 9), event = c(0, 0, 1), group = c(0, 1, 1)),
  all_at_once = data.frame(time = c(4, 4, 4, 4), event = 1, group = c(0, 1, 0, 1)),
  empty_group = data.frame(time = c(2, 3, 5), event = c(1, 0, 1), group = 1),
  one_patient = data.frame(time = 4, event = 1, group = 1))
at_edge <- c()
for (name in names(edges)) {
  d <- edges[[name]]
  fit <- survfit(Surv(time, event) ~ 1, data = d, conf.type = "log-log")
  med <- quantile(fit, 0.5)
  at_edge <- c(at_edge, sprintf('    {"name": "%s", %s}', name, paste(
    sprintf('"time": %s', list_of(d$time)), sprintf('"event": %s', list_of(d$event)), sprintf('"group": %s', list_of(d$group)),
    sprintf('"km_time": %s', list_of(fit$time)), sprintf('"survival": %s', list_of(fit$surv)),
    sprintf('"median": %s', number(med$quantile)),
    sprintf('"chisq": %s', said(number(survdiff(Surv(time, event) ~ group, data = d)$chisq))),
    sprintf('"log_hr": %s', said(number(coef(coxph(Surv(time, event) ~ group, data = d))))), sep = ", ")))
}
out <- c(out, sprintf('  "edges": [\n%s\n  ]', paste(at_edge, collapse = ",\n")))
exact <- function(x, n, level) { ci <- binom.test(x, n, conf.level = level)$conf.int; list_of(c(x, n, level, ci[1], ci[2])) }
binomial <- c(exact(0, 10, 0.95), exact(10, 10, 0.95), exact(3, 20, 0.95), exact(15, 54, 0.95), exact(1, 111, 0.90))
out <- c(out, sprintf('  "clopper_pearson": [%s]', paste(binomial, collapse = ", ")))
cat(sprintf('{\n  "made_with": "R %s, survival %s",\n%s\n}\n', getRversion(), packageVersion("survival"), paste(out, collapse = ",\n")))
