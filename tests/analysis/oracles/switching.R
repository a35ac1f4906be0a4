# Makes switching.json: RPSFT by uniroot on survdiff, and IPCW by coxph on the counting process with survfit's weights, for tests/analysis/test_switching.py.
#   Rscript switching.R > switching.json
library(survival)
number <- function(x) ifelse(is.na(x) | is.infinite(x), "null", formatC(x, digits = 12, format = "g"))
list_of <- function(x) paste0("[", paste(number(x), collapse = ", "), "]")
set.seed(12)
n <- 240
treated <- rep(0:1, n / 2)
group <- rbinom(n, 1, 0.4)
untreated <- rexp(n, 0.09 * (1 + group))
progression <- untreated * runif(n, 0.3, 0.7)
switch <- ifelse(treated == 0 & runif(n) < ifelse(group == 1, 0.2, 0.6), progression + rexp(n, 2), NA)
switch[!is.na(switch) & switch >= untreated] <- NA
on <- ifelse(treated == 1, untreated, ifelse(is.na(switch), 0, untreated - switch))
real <- untreated + on * 0.6
progression <- ifelse(treated == 1, progression * 1.6, progression)
limit <- runif(n, 12, 40)
time <- pmin(real, limit); event <- as.integer(real <= limit)
switch[!is.na(switch) & switch >= time] <- NA
progression[progression >= time] <- NA
switch[is.na(progression)] <- NA
spent <- ifelse(treated == 1, time, ifelse(is.na(switch), 0, time - switch))
z <- function(psi, shift = 0) {
  u <- time - spent + exp(psi) * spent
  again <- limit * min(1, exp(psi))
  d <- survdiff(Surv(pmin(u, again), event & u <= again) ~ treated)
  (d$exp[2] - d$obs[2]) / sqrt(d$var[2, 2]) - shift
}
root <- function(shift) uniroot(z, c(-2, 1.5), shift = shift, tol = 1e-9)$root
psi <- c(root(0), sort(c(root(-qnorm(0.975)), root(qnorm(0.975)))))

until <- ifelse(is.na(switch), time, switch); dead <- ifelse(is.na(switch), event, 0)
cuts <- sort(unique(until[dead == 1]))
d <- survSplit(Surv(until, dead) ~ ., data.frame(until, dead, treated, group, progression, switch, id = 1:n), cut = cuts, start = "begin")
d$weight <- 1
for (g in 0:1) {
  rows <- treated == 0 & group == g & !is.na(progression)
  stay <- survfit(Surv(until[rows] - progression[rows], as.integer(!is.na(switch[rows]))) ~ 1)
  mine <- d$treated == 0 & d$group == g & !is.na(d$progression)
  since <- d$until[mine] - d$progression[mine]
  d$weight[mine] <- sapply(since, function(s) { k <- sum(stay$time < s - 1e-12); 1 / if (k == 0) 1 else stay$surv[k] })
}
fit <- coxph(Surv(begin, until, dead) ~ treated, d, weights = weight, ties = "breslow")
cat(sprintf('{"made_with": "R %s, survival %s",\n"time": %s,\n"event": %s,\n"treated": %s,\n"group": %s,\n"progression": %s,\n"switch": %s,\n"limit": %s,\n"psi": %s,\n"ipcw_log_hr": %s}\n',
  getRversion(), packageVersion("survival"), list_of(time), list_of(event), list_of(treated), list_of(group), list_of(progression), list_of(switch), list_of(limit),
  list_of(psi), number(coef(fit))))
