using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Operations;

/// <summary>
/// The servers of this process. They outlive the command, the pipeline and the runspace that started them, so there is one list, for all
/// runspaces; whatever ends the process in an orderly way stops them first.
/// </summary>
internal static class NbdServers
{
    private static readonly TimeSpan GraceAtEnd = TimeSpan.FromSeconds(2);

    private static readonly List<HostedNbdServer> Running = [];
    private static readonly HashSet<string> Starting = new(StringComparer.OrdinalIgnoreCase);

    // Set when the class is first used, once for the process.
    private static readonly EventHandler AtExit = StopAtExit();

    /// <summary>The servers, in the order of their start. One that has ended as it was to is none any more.</summary>
    internal static IReadOnlyList<HostedNbdServer> All
    {
        get
        {
            lock (Running)
            {
                Running.RemoveAll(server => server.HasEndedWell);
                return [.. Running];
            }
        }
    }

    /// <summary>Starts a server under a name that no other has.</summary>
    /// <param name="name">The name that is asked for; null for one like the image's.</param>
    /// <param name="imagePath">Full path of the image.</param>
    /// <param name="start">Starts it, given the name.</param>
    /// <exception cref="ImageCmdletException">Another server has that name.</exception>
    internal static HostedNbdServer Add(string? name, string imagePath, Func<string, HostedNbdServer> start)
    {
        lock (Running)
        {
            Running.RemoveAll(server => server.HasEndedWell);
            if (name is not null && IsTaken(name))
            {
                throw new ImageCmdletException("NbdServerExists", ErrorCategory.ResourceExists, $"A server with the name '{name}' is there already. Stop it (Stop-Qcow2NbdServer), or choose another -Name.");
            }

            name ??= FreeName(Path.GetFileNameWithoutExtension(imagePath));
            Starting.Add(name);
        }

        try
        {
            HostedNbdServer server = start(name); // Without the lock: a host that does not answer keeps nobody else waiting.
            lock (Running)
            {
                Running.Add(server);
            }

            return server;
        }
        finally
        {
            lock (Running)
            {
                Starting.Remove(name);
            }
        }
    }

    /// <summary>Takes a server that has ended off the list.</summary>
    internal static void Remove(HostedNbdServer server)
    {
        lock (Running)
        {
            Running.Remove(server);
        }
    }

    /// <summary>Stops servers at once, without a word of what goes wrong: nobody is there to hear it.</summary>
    internal static void StopAll(Func<HostedNbdServer, bool> which)
    {
        HostedNbdServer[] chosen = [.. All.Where(which)];
        Task.WaitAll([.. chosen.Select(server => Task.Factory.StartNew(() => StopQuietly(server), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))]);
    }

    private static EventHandler StopAtExit()
    {
        EventHandler stop = (_, _) => StopAll(_ => true);
        AppDomain.CurrentDomain.ProcessExit += stop;
        return stop;
    }

    private static void StopQuietly(HostedNbdServer server)
    {
        try
        {
            server.Stop(GraceAtEnd, CancellationToken.None);
        }
#pragma warning disable CA1031 // The others are to be stopped, too.
        catch (Exception)
#pragma warning restore CA1031
        {
        }

        Remove(server);
    }

    private static bool IsTaken(string name) => Starting.Contains(name) || Running.Exists(server => string.Equals(server.Name, name, StringComparison.OrdinalIgnoreCase));

    private static string FreeName(string wanted)
    {
        string name = wanted;
        for (int number = 2; IsTaken(name); number++)
        {
            name = $"{wanted}-{number}";
        }

        return name;
    }
}
