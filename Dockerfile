# The server alone in an image: no shell, no package manager, nobody's root. `docker build -t rustbucket-alerts .`
FROM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /rustbucket-alerts . && mkdir /data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /rustbucket-alerts /
COPY --from=build --chown=65532:65532 --chmod=700 /data /data
USER 65532:65532
WORKDIR /data
ENV LISTEN_ADDR=:8080 DATA_DIR=/data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/rustbucket-alerts"]
