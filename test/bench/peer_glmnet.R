# The same fits with glmnet: time, and how far the coefficients are apart.
library(glmnet)
folder <- commandArgs(trailingOnly = TRUE)[1]
start <- proc.time()[["elapsed"]]
data <- as.matrix(read.csv(file.path(folder, "data.csv"), header = FALSE))
cat(sprintf("  glmnet: load the csv %44.2f s\n", proc.time()[["elapsed"]] - start))
p <- ncol(data) - 1
ours <- read.csv(file.path(folder, "coef.csv"), header = FALSE, col.names = c("model", "feature", "coef"))
compare <- function(name, model, lambda, alpha) {
  start <- proc.time()[["elapsed"]]
  fit <- glmnet(data[, 1:p], data[, p + 1], family = "binomial", lambda = lambda, alpha = alpha,
                thresh = 1e-14, maxit = 1e6)
  took <- proc.time()[["elapsed"]] - start
  mine <- ours[ours$model == model, ]
  theirs <- c(fit$a0, as.vector(fit$beta))
  names(theirs) <- c("(intercept)", paste0("x", 1:p))
  apart <- max(abs(mine$coef - theirs[mine$feature]))
  cat(sprintf("  glmnet: %-44s %11.2f s   coefficients apart by %.1e\n", name, took, apart))
}
compare("no penalty", "bench_plain", 0, 0)
compare("elastic net", "bench_net", 0.01, 0.5)
