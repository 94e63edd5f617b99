# A web service in Java on a port that the scheduler chose. The program is compiled when it starts, from the source below; a real one is a jar:
# fetch it with an artifact block and name it with jar_path.
# Run it:  serai job run examples/java.hcl
job "java" {
  group "web" {
    network {
      port "http" {}
    }

    task "hello" {
      driver = "java"

      config {
        class = "/local/Hello.java"

        # jar_path    = "local/hello.jar"
        # class_path  = "local/lib/*"
        # args        = ["one", "two"]
        # The heap is a quarter of the task's memory unless this says otherwise.
        jvm_options = ["-XX:+UseSerialGC", "-XX:MaxRAMPercentage=50"]
      }

      template {
        destination = "local/Hello.java"
        data        = <<-EOT
          import com.sun.net.httpserver.HttpServer;
          import java.net.InetSocketAddress;

          public class Hello {
              public static void main(String[] args) throws Exception {
                  int port = Integer.parseInt(System.getenv("NOMAD_PORT_http"));
                  String text = "hello from Java " + Runtime.version().feature() + " in " + System.getenv("NOMAD_ALLOC_NAME")
                      + ", with a heap of up to " + (Runtime.getRuntime().maxMemory() >> 20) + " MiB\n";
                  HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
                  server.createContext("/", exchange -> {
                      exchange.sendResponseHeaders(200, text.length());
                      exchange.getResponseBody().write(text.getBytes());
                      exchange.close();
                  });
                  server.start();
                  System.out.print("port " + port + ": " + text);
              }
          }
        EOT
      }

      resources {
        cpu    = 500
        memory = 256
      }
    }
  }
}
