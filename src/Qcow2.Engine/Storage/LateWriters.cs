using System.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>
/// Programs that have opened a file for writing before it lost its name, and have not asked for their lock yet. QEMU opens first, locks then,
/// and does not look at the name again: once the lock of whoever replaced the file is gone, it would write into a file that nobody can find.
/// </summary>
internal static class LateWriters
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    /// <summary>
    /// Waits until nobody has the file open for writing any more: whoever does is refused the lock that is still held, and closes it. A program
    /// that heeds no locks is not waited for longer than <see cref="Limit"/>.
    /// </summary>
    /// <param name="file">A locked file, open for reading. Nothing is done while it has a name, or where the host does not tell: it tells the file's owner and root.</param>
    internal static void Await(LocalFile file)
    {
        if (!ImageLock.IsAvailable || file.Handle.IsClosed || FileStatus.OfDescriptorOn(file.Handle) is not { Access.Links: 0 })
        {
            return;
        }

        var watch = Stopwatch.StartNew();
        while (IsOpenForWriting(file.Handle) && watch.Elapsed < Limit)
        {
            Thread.Sleep(Pause);
        }
    }

    /// <summary>A lease of a reader is given only while nobody has the file open for writing.</summary>
    private static bool IsOpenForWriting(SafeFileHandle file)
    {
        // Whoever breaks a lease has its owner sent a signal, which ends a process unless it is one that is ignored.
        _ = LibC.FileControl(file, LibC.SetSignal, LibC.SignalUrgent);
        if (LibC.FileControl(file, LibC.SetLease, LibC.ReadLock) == 0)
        {
            _ = LibC.FileControl(file, LibC.SetLease, LibC.Unlock);
            return false;
        }

        return System.Runtime.InteropServices.Marshal.GetLastWin32Error() == LibC.ErrorWouldBlock;
    }
}
