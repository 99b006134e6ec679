using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Qcow2.Engine;
using Qcow2.Engine.Nbd;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Serves the disk of an image over NBD, to be mounted, booted or copied by other programs.</summary>
/// <remarks>
/// <para>
/// Start-Qcow2NbdServer opens a disk, of any format, with its backing chain, or one of its internal snapshots, and serves it as a network block device,
/// as <c>qemu-nbd</c> does: <c>nbd-client</c> and <c>nbdfuse</c> mount it on Linux, QEMU boots a virtual machine from it, <c>nbdcopy</c>, <c>qemu-img</c> and backup programs
/// copy it. It emits an object whose <c>Uri</c> is what these programs are told.
/// </para>
/// <para>
/// The server works in the background of this PowerShell until <c>Stop-Qcow2NbdServer</c>, <c>Remove-Module Qcow2</c> or the end of the process; all of
/// these write what is to be written and close the image. With <c>-StopAfterLastClient</c> it stops when its last client has left. Servers are known to all
/// runspaces of the process.
/// </para>
/// <para>
/// The disk is read-only, unless <c>-Writable</c> is given: then qcow2 images and raw disks are locked as by a virtual machine, writes, zeros, trims and flushes of
/// clients go to the image, and its enabled bitmaps record them. What a client has flushed is on the disk of the host.
/// </para>
/// <para>
/// NBD has no passwords: whoever can connect has the disk. On a Unix socket (<c>-SocketPath</c>) that is the user who runs this PowerShell;
/// on a port of the loopback address, the default, every user of this computer; on another <c>-Address</c>, the network. With <c>-Certificate</c> the server takes only clients that speak TLS, so that nobody on the way
/// reads or changes anything and clients know the server; with <c>-ClientCertificateAuthority</c> it takes only those that it knows by their certificates.
/// </para>
/// <para>
/// Clients can ask which parts hold data (<c>base:allocation</c>), which file of the chain has them (<c>qemu:allocation-depth</c>), and what a bitmap marks
/// (<c>qemu:dirty-bitmap:NAME</c>, with <c>-BitmapName</c>).
/// </para>
/// </remarks>
/// <example>
/// <code>$server = Start-Qcow2NbdServer web01.qcow2 -SocketPath /run/user/1000/web01.sock</code>
/// <para>Serves a disk to this user's programs. <c>$server.Uri</c> is what they are told, as in <c>nbdinfo</c> or <c>nbdcopy</c>.</para>
/// </example>
/// <example>
/// <code>Start-Qcow2NbdServer web01.qcow2 -SnapshotName before-upgrade -Port 0</code>
/// <para>Serves a snapshot on a free port of the loopback address.</para>
/// </example>
/// <example>
/// <code>Start-Qcow2NbdServer scratch.qcow2 -Writable -SocketPath scratch.sock -StopAfterLastClient</code>
/// <para>Lets one program write to the image: when it leaves, the image is closed.</para>
/// </example>
/// <example>
/// <code>Start-Qcow2NbdServer web01.qcow2 -BitmapName daily -SocketPath backup.sock</code>
/// <para>Gives the disk to a backup program that copies what the bitmap marks.</para>
/// </example>
/// <example>
/// <code>Start-Qcow2NbdServer web01.qcow2 -Address 0.0.0.0 -Certificate $certificate -ClientCertificateAuthority $authority</code>
/// <para>Serves a disk to the network, through TLS, to those who have a certificate that the authority has issued. How certificates are made is in <c>docs/nbd.md</c>.</para>
/// </example>
/// <seealso cref="StopQcow2NbdServerCommand"/>
/// <seealso cref="GetQcow2NbdServerCommand"/>
/// <seealso cref="GetQcow2BitmapCommand"/>
[Cmdlet(VerbsLifecycle.Start, "Qcow2NbdServer", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2NbdServer), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet, UriSet])]
public sealed class StartQcow2NbdServerCommand : DiskReadingCmdlet
{
    private readonly Guid _runspaceId = Runspace.DefaultRunspace?.InstanceId ?? Guid.Empty;

    private NbdTls? _tls;

    /// <summary>
    /// What the image is. By default a file that begins as one of the formats does, or ends as a VHD does, is one, and others are raw if their name says so: <c>.raw</c>, <c>.img</c>,
    /// <c>.iso</c>, <c>.dd</c> or <c>.bin</c>, and their content is not plainly something else. What bears the mark of an image under such a name is an error, but for QCOW2 under <c>.img</c>. Say it of a VHD that was cut off, of a raw disk with another name, and of one that a guest wrote whom you do
    /// not trust: it could have made it look like an image that names a file of this machine.
    /// </summary>
    /// <value>By the file's content and name</value>
    [Parameter]
    public DiskImageFormat? SourceFormat { get; set; }

    /// <summary>The server's name, for <c>Get-Qcow2NbdServer</c> and <c>Stop-Qcow2NbdServer</c>. By default the file's name without its extension, and a number where there is such a server.</summary>
    /// <value>By the file's name</value>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Name { get; set; }

    /// <summary>
    /// The Unix socket to listen on, of which a path has about 100 bytes at most. Only its owner can connect. It goes when the server stops; one that a killed server left is replaced, and nothing
    /// else is. Not in Windows PowerShell.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [PathText(TakesImage = true)]
    public string? SocketPath { get; set; }

    /// <summary>
    /// The address to listen on: by default the loopback address, which only programs of this computer reach. On any other a warning says who can read, or write, the disk, unless clients are known by their
    /// certificates.
    /// </summary>
    /// <value>127.0.0.1</value>
    [Parameter]
    [ValidateNotNull]
    public IPAddress? Address { get; set; }

    /// <summary>The TCP port to listen on; 0 takes one that is free. The default is the port that is registered for NBD.</summary>
    /// <value>10809</value>
    [Parameter]
    [ValidateRange(0, 65_535)]
    public int Port { get; set; } = NbdListener.DefaultPort;

    /// <summary>
    /// The certificate of this server, with its private key, as <c>Get-PfxCertificate</c>, <c>Cert:\</c>, <c>New-SelfSignedCertificate</c> and .NET's <c>X509Certificate2</c> give it. With it the server speaks TLS, 1.2 or 1.3 (1.2 in Windows
    /// PowerShell), and takes nobody without; also on a Unix socket. Clients trust it by its issuer, and hold its names against the one that they connect to. Issuers between that one and the certificate are sent if the user's
    /// certificate store has them.
    /// </summary>
    [Parameter]
    [ValidateNotNull]
    public X509Certificate2? Certificate { get; set; }

    /// <summary>
    /// Lets only clients in that have a certificate, for use by a client, that one of these has issued, or that is one of these and issued by itself. Nobody else's are trusted, neither of the system nor of the issuer of <c>-Certificate</c>. Lists
    /// of revoked certificates are not asked for: where one has to go, take another issuer. Needs <c>-Certificate</c>, and PowerShell 7.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public X509Certificate2[]? ClientCertificateAuthority { get; set; }

    /// <summary>The name of the export, which is the path of the URI. Clients that ask for no name get the disk, too.</summary>
    [Parameter]
    [ValidateNotNull]
    public string ExportName { get; set; } = "";

    /// <summary>Lets clients write to the disk of a qcow2 image or to a raw disk. Not with a snapshot, and not with <c>-BitmapName</c>.</summary>
    [Parameter]
    public SwitchParameter Writable { get; set; }

    /// <summary>
    /// Persistent bitmaps of the image that clients can ask about, as <c>qemu:dirty-bitmap:NAME</c>. A bitmap that comes down the pipeline from <c>Get-Qcow2Bitmap</c> stands for itself. Not
    /// of a snapshot, and not while the disk is written.
    /// </summary>
    [Parameter]
    [ArgumentCompleter(typeof(BitmapNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string[]? BitmapName { get; set; }

    /// <summary>Most clients at once; who comes then is turned away.</summary>
    /// <value>64</value>
    [Parameter]
    [ValidateRange(1, 1000)]
    public int MaxClients { get; set; } = NbdServerOptions.Default.MaxClients;

    /// <summary>Stops the server when the last client has left, as <c>qemu-nbd</c> does without <c>-t</c>. By default it stays until it is stopped.</summary>
    [Parameter]
    public SwitchParameter StopAfterLastClient { get; set; }

    /// <inheritdoc/>
    private protected override bool TakesRaw => true;

    private bool IsOnTcp => SocketPath is null;

    /// <inheritdoc/>
    private protected override Qcow2OpenOptions OptionsFor(string imagePath) => base.OptionsFor(imagePath) with { Writable = Writable };

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        bool hasPort = MyInvocation.BoundParameters.ContainsKey(nameof(Port));
        if (!IsOnTcp && (Address is not null || hasPort))
        {
            var conflict = new ImageCmdletException("ParameterConflict", ErrorCategory.InvalidArgument, "-SocketPath is listened on instead of a port: leave out -Address and -Port.");
            ThrowTerminatingError(ErrorRecords.From(conflict, SocketPath!));
        }

        try
        {
            _tls = TlsOf(Certificate, ClientCertificateAuthority);
        }
        catch (ImageCmdletException e)
        {
            ThrowTerminatingError(ErrorRecords.From(e, Certificate?.Subject ?? nameof(ClientCertificateAuthority)));
        }
    }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        string[] bitmaps = BitmapName ?? (!Writable && image.Object is Qcow2Bitmap bitmap ? [bitmap.Name] : []);
        bool isStarted = false;
        DiskSource source = SourceOf(image, SourceFormat);
        Action<string>? tell = source.Options.OnProblem;
        source = source with { Options = source.Options with { OnProblem = problem => Tell(problem) } };
        RequirePossible(source, bitmaps);
        if (Certificate is not null && (Certificate.NotAfter < DateTime.Now || Certificate.NotBefore > DateTime.Now))
        {
            WriteWarning($"The certificate '{DisplayText.Printable(Certificate.Subject)}' is valid from {Certificate.NotBefore:g} to {Certificate.NotAfter:g}, so that clients will not trust it.");
        }

        string? socket = SocketPath is null ? null : Resolver.Literal(SocketPath);
        IPAddress address = Address ?? IPAddress.Loopback;
        if (!ShouldProcess(image.Path, $"Serve the disk, {(Writable ? "to be read and written" : "to be read")}, over NBD on {socket ?? $"{address}, port {(Port == 0 ? "any" : Port)}"}"))
        {
            return;
        }

        HostedNbdServer? server = null;
        LongOperation.Run(stop => server = NbdServers.Add(Name, image.Path, name => Start(name, source, bitmaps, socket, address, stop)), () => { }, StopToken);
        isStarted = true;
        GiveAway(image);
        if (IsOnTcp && !IPAddress.IsLoopback(address) && _tls is not { RequiresClientCertificate: true })
        {
            string lack = _tls is null ? "neither passwords nor encryption" : "no passwords, and no -ClientCertificateAuthority is given";
            WriteWarning($"{image.Path}: NBD has {lack}: whoever reaches {address} can read {(Writable ? "and write " : "")}this disk.");
        }

        WriteObject(server!.Describe());

        void Tell(string problem)
        {
            if (!isStarted)
            {
                tell?.Invoke(problem); // Later nobody is there to be told.
            }
        }
    }

    private void RequirePossible(DiskSource source, string[] bitmaps)
    {
        if (Writable && source.Snapshot is not null)
        {
            throw ImageCmdletException.NotPossible($"{source.Path}: an internal snapshot cannot be written. Leave out -Writable, or serve the disk itself.");
        }

        if (Writable && bitmaps.Length > 0)
        {
            throw ImageCmdletException.NotPossible($"{source.Path}: what a bitmap marks changes while the disk is written. Leave out -Writable or -BitmapName.");
        }
    }

    private HostedNbdServer Start(string name, DiskSource source, string[] bitmaps, string? socket, IPAddress address, CancellationToken stop)
    {
        OpenedDisk opened = source.OpenForRandomAccess(stop);
        opened.Location = source.Location; // The server needs it for longer than this command.
        NbdListener? listener = null;
        try
        {
            NbdBitmap[] marked = [.. bitmaps.Distinct(StringComparer.Ordinal).Select(bitmap => Read(opened, bitmap, stop))];
            var export = new NbdExport(opened.Disk, ExportName, Writable, marked, opened);
            listener = Listen(socket, address);
            stop.ThrowIfCancellationRequested();
            NbdServer server = NbdServer.Start(listener, export, new NbdServerOptions { MaxClients = MaxClients, StopAfterLastClient = StopAfterLastClient, Tls = _tls });
            return new HostedNbdServer(
                server,
                new Qcow2NbdServer
                {
                    Name = name,
                    Uri = server.Uri,
                    Path = source.Path,
                    SnapshotId = opened.Snapshot?.Id,
                    SnapshotName = opened.Snapshot?.Name,
                    Size = export.Length,
                    IsWritable = Writable,
                    ExportName = ExportName,
                    BitmapNames = [.. marked.Select(bitmap => bitmap.Name)],
                    SocketPath = listener.SocketPath,
                    Address = listener.Address?.ToString(),
                    Port = listener.Port,
                    CertificateThumbprint = _tls?.Certificate.Thumbprint,
                    RequiresClientCertificate = _tls is { RequiresClientCertificate: true },
                    StartTime = DateTime.Now,
                },
                _runspaceId);
        }
        catch
        {
            listener?.Dispose();
            opened.Dispose();
            throw;
        }
    }

    private static NbdTls? TlsOf(X509Certificate2? certificate, X509Certificate2[]? clientAuthorities)
    {
        if (certificate is null)
        {
            return clientAuthorities is null ? null : throw new ImageCmdletException("ParameterMissing", ErrorCategory.InvalidArgument, "-ClientCertificateAuthority needs TLS: give the server a -Certificate.");
        }

        try
        {
            return new NbdTls(certificate, clientAuthorities);
        }
        catch (PlatformNotSupportedException e)
        {
            throw ImageCmdletException.NotPossible($"-ClientCertificateAuthority: {e.Message}");
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            throw new ImageCmdletException("CertificateInvalid", ErrorCategory.InvalidArgument, e.Message);
        }
    }

    private static NbdBitmap Read(OpenedDisk opened, string bitmap, CancellationToken stop)
        => opened.Image is Qcow2Image image && opened.Snapshot is null
            ? new NbdBitmap(bitmap, image.GetBitmapRanges(bitmap, stop))
            : throw ImageCmdletException.NotPossible($"{opened.Disk.Path}: only the active disk of a qcow2 image has bitmaps.");

    private NbdListener Listen(string? socket, IPAddress address)
    {
        try
        {
            return socket is null ? NbdListener.OnTcp(address, Port) : NbdListener.OnUnixSocket(socket);
        }
        catch (PlatformNotSupportedException e)
        {
            throw ImageCmdletException.NotPossible(e.Message);
        }
        catch (DirectoryNotFoundException e)
        {
            throw new ImageCmdletException("NbdListenFailed", ErrorCategory.ResourceUnavailable, $"{e.Message} Create it first, or choose another -SocketPath.");
        }
        catch (IOException e)
        {
            string advice = socket is not null ? "Choose another -SocketPath."
                : e.InnerException is SocketException { SocketErrorCode: SocketError.AddressNotAvailable } ? "Choose another -Address; 0.0.0.0 is all of them."
                : "Choose another -Port; 0 takes one that is free.";
            throw new ImageCmdletException("NbdListenFailed", ErrorCategory.ResourceUnavailable, $"{e.Message} {advice}");
        }
    }
}
