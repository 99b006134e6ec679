using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>
/// The incomplete files of this process that have a name, which go when the process is told to end; and those that a process left behind
/// which was not even told.
/// </summary>
internal static class IncompleteFiles
{
    private static readonly ConcurrentDictionary<string, bool> Named = new(StringComparer.Ordinal);
    private static readonly object Gate = new();
    private static bool s_isWatching;
#if NET
    private static readonly List<PosixSignalRegistration> Signals = [];
#endif

    /// <summary>Notes a file to be deleted when the process ends before it is complete.</summary>
    internal static void Add(string path)
    {
        Watch();
        Named[path] = true;
    }

    /// <summary>A file that is complete, or gone.</summary>
    internal static void Remove(string path) => Named.TryRemove(path, out _);

    /// <summary>Deletes what is left in a folder by processes of this machine that are gone. Whatever is in doubt stays.</summary>
    /// <param name="folder">Full path of the folder.</param>
    internal static void Sweep(string folder)
    {
        try
        {
            foreach (string path in Directory.EnumerateFiles(folder, IncompleteName.Pattern))
            {
                if (IncompleteName.IsOurs(Path.GetFileName(path)) && !Named.ContainsKey(path))
                {
                    TryDeleteAbandoned(path);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.SecurityException)
        {
            // A folder that cannot be listed has nothing that could be told apart.
        }
    }

    private static void TryDeleteAbandoned(string path)
    {
        try
        {
            if (OperatingSystemInfo.IsWindows)
            {
                // Whoever writes it has it open, which this refuses to share.
                using var alone = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Delete);
                File.Delete(path);
            }
            else
            {
                DeleteUnlocked(path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is in use, or somebody else's.
        }
    }

    private static unsafe void DeleteUnlocked(string path)
    {
        if (FileStatus.OfLink(path) is not { Kind: FileKind.Regular } status)
        {
            return;
        }

        fixed (byte* name = Encoding.UTF8.GetBytes(path + "\0"))
        {
            int descriptor = LibC.Open(name, LibC.OpenToLookAt);
            if (descriptor < 0)
            {
                return;
            }

            using var handle = new SafeFileHandle((IntPtr)descriptor, ownsHandle: true);

            // A file system without such locks cannot say whether the owner is gone, and refuses.
            if (LibC.LockFile(handle, LibC.LockAlone) == 0 && FileStatus.OfLink(path)?.Identity.IsProvenSameAs(status.Identity) == true)
            {
                File.Delete(path);
            }
        }
    }

    private static void Watch()
    {
        lock (Gate)
        {
            if (s_isWatching)
            {
                return;
            }

            s_isWatching = true;
            AppDomain.CurrentDomain.ProcessExit += (_, _) => DeleteAll();
#if NET
            foreach (PosixSignal signal in new[] { PosixSignal.SIGHUP, PosixSignal.SIGINT, PosixSignal.SIGQUIT, PosixSignal.SIGTERM })
            {
                // Where the signal is ignored (nohup) the process lives on, and .NET would not tell.
                if (!IsIgnored(signal))
                {
                    Signals.Add(PosixSignalRegistration.Create(signal, Ending));
                }
            }
#endif
        }
    }

#if NET
    /// <summary>Never keeps the signal from ending the process; but the shell does so with Ctrl+C, of which it has heard before.</summary>
    private static void Ending(PosixSignalContext context)
    {
        if (!context.Cancel)
        {
            DeleteAll();
        }
    }

    private static unsafe bool IsIgnored(PosixSignal signal)
    {
        if (OperatingSystemInfo.IsWindows)
        {
            return false;
        }

        const int Ignore = 1; // SIG_IGN
        const int Pointers = 64; // More than the structure takes anywhere.
        int number = signal switch { PosixSignal.SIGHUP => 1, PosixSignal.SIGINT => 2, PosixSignal.SIGQUIT => 3, _ => 15 };
        IntPtr* action = stackalloc IntPtr[Pointers];
        return LibC.SignalAction(number, IntPtr.Zero, action) == 0 && action[0] == Ignore;
    }
#endif

    private static void DeleteAll()
    {
        foreach (string path in Named.Keys)
        {
            try
            {
                File.Delete(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The next one to write into the folder finds it.
            }
        }
    }
}
