using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Stops servers that Start-Qcow2NbdServer started, and closes their images.</summary>
/// <remarks>
/// <para>
/// Stop-Qcow2NbdServer lets no more clients in, waits until the requests that came are done, cuts the connections, writes what is to be written, saves bitmaps and
/// closes the image. Clients that do not take their replies are cut off after <c>-GracePeriod</c>, and at once when the command is stopped (Ctrl-C). The image is closed all the same.
/// </para>
/// <para>
/// An image that could not be flushed is an error: what clients wrote since their last flush may be lost.
/// </para>
/// </remarks>
/// <example>
/// <code>Stop-Qcow2NbdServer web01</code>
/// <para>Stops a server by its name.</para>
/// </example>
/// <example>
/// <code>Get-Qcow2NbdServer | Stop-Qcow2NbdServer -PassThru | Select-Object Name, BytesRead</code>
/// <para>Stops all servers, and says how much was read from each.</para>
/// </example>
/// <seealso cref="StartQcow2NbdServerCommand"/>
/// <seealso cref="GetQcow2NbdServerCommand"/>
[Cmdlet(VerbsLifecycle.Stop, "Qcow2NbdServer", DefaultParameterSetName = NameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2NbdServer), ParameterSetName = [NameSet, InputObjectSet])]
public sealed class StopQcow2NbdServerCommand : NbdServerCmdlet
{
    private const string NameSet = "Name";
    private const string InputObjectSet = "InputObject";

    /// <summary>The names of the servers. Wildcards are permitted.</summary>
    [Parameter(ParameterSetName = NameSet, Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(NbdServerNameCompleter))]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    public string[] Name { get; set; } = [];

    /// <summary>The servers, as objects that <c>Start-Qcow2NbdServer</c> or <c>Get-Qcow2NbdServer</c> emitted.</summary>
    [Parameter(ParameterSetName = InputObjectSet, Mandatory = true, Position = 0, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    public Qcow2NbdServer[] InputObject { get; set; } = [];

    /// <summary>How many seconds clients have to take the replies to what they have asked.</summary>
    /// <value>5</value>
    [Parameter]
    [ValidateRange(0, 3600)]
    public int GracePeriod { get; set; } = 5;

    /// <summary>Emits the servers as they were when they stopped. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        IEnumerable<string> names = ParameterSetName == NameSet ? Name : InputObject.Select(server => WildcardPattern.Escape(server.Name));
        foreach (HostedNbdServer server in Find(names))
        {
            if (ShouldProcess($"{server.Name} ({server.Path})", "Stop serving the disk over NBD"))
            {
                ForFile(server.Path, () => Stop(server));
            }
        }
    }

    private void Stop(HostedNbdServer server)
    {
        try
        {
            LongOperation.Run(hurry => server.Stop(TimeSpan.FromSeconds(GracePeriod), hurry), () => { }, StopToken);
        }
        finally
        {
            if (!Stopping)
            {
                NbdServers.Remove(server); // Else it goes by itself when it has ended.
            }
        }

        if (PassThru)
        {
            WriteObject(server.Describe());
        }
    }
}
