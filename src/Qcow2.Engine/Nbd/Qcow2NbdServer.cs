namespace Qcow2.Engine;

/// <summary>What a server of disks does.</summary>
public enum Qcow2NbdServerState
{
    /// <summary>It takes clients.</summary>
    Running,

    /// <summary>It has ended, and the disk is closed.</summary>
    Stopped,

    /// <summary>It has ended by itself, and the disk could not be flushed and closed.</summary>
    Failed,
}

/// <summary>A server that gives a disk to programs that speak NBD, as it was when this object was made. The properties can be set, so that a script's tests can build one.</summary>
public sealed class Qcow2NbdServer
{
    /// <summary>The server's name, by which it is found and stopped.</summary>
    public string Name { get; set; } = "";

    /// <summary>What it does.</summary>
    public Qcow2NbdServerState State { get; set; }

    /// <summary>What clients connect to: <c>nbd://…</c> or <c>nbd+unix:///…?socket=…</c>, with TLS <c>nbds://…</c> or <c>nbds+unix:///…</c>.</summary>
    public string Uri { get; set; } = "";

    /// <summary>Full path of the image.</summary>
    public string Path { get; set; } = "";

    /// <summary>Id of the internal snapshot whose disk is served; null for the active disk.</summary>
    public string? SnapshotId { get; set; }

    /// <summary>Name of that snapshot; null for the active disk.</summary>
    public string? SnapshotName { get; set; }

    /// <summary>Size of the disk, in bytes.</summary>
    public long Size { get; set; }

    /// <summary>Whether clients may write.</summary>
    public bool IsWritable { get; set; }

    /// <summary>The name that clients may ask for; empty for the only export that there is.</summary>
    public string ExportName { get; set; } = "";

    /// <summary>Bitmaps that clients can ask about.</summary>
    public string[] BitmapNames { get; set; } = [];

    /// <summary>Full path of the Unix socket; null for TCP.</summary>
    public string? SocketPath { get; set; }

    /// <summary>The address that is listened on; null for a Unix socket.</summary>
    public string? Address { get; set; }

    /// <summary>The port that is listened on; null for a Unix socket.</summary>
    public int? Port { get; set; }

    /// <summary>Thumbprint of the certificate of a server that speaks TLS, and takes nobody without; null for one without TLS.</summary>
    public string? CertificateThumbprint { get; set; }

    /// <summary>Whether clients have to show a certificate.</summary>
    public bool RequiresClientCertificate { get; set; }

    /// <summary>Clients that were connected.</summary>
    public int Clients { get; set; }

    /// <summary>Bytes that clients had read.</summary>
    public long BytesRead { get; set; }

    /// <summary>Bytes that clients had written.</summary>
    public long BytesWritten { get; set; }

    /// <summary>When the server was started.</summary>
    public DateTime StartTime { get; set; }

    /// <summary>What last went wrong with the disk, of which clients are told no more than a number; or else why it last came to no TLS with a client. Null for nothing.</summary>
    public string? LastProblem { get; set; }

    /// <summary>The name and the address.</summary>
    public override string ToString() => $"{Name}: {Uri}";
}
