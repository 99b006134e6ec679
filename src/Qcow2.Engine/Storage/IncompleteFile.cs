using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>
/// A file that is being written and has not got its name yet. Where the host can do that it has no name at all until it is complete, so that
/// nothing is left of it whatever ends the process; elsewhere it has a hidden one.
/// </summary>
internal sealed class IncompleteFile : IDisposable
{
    private const uint AsNewFile = 0x1b6; // rw-rw-rw-, of which the host takes what it takes of any new file
    private const uint OwnerOnly = 0x180; // rw-------
    private const int Attempts = 10;

    private readonly string _target;
    private string? _name;

    private IncompleteFile(LocalFile file, string target, string? name)
    {
        File = file;
        _target = target;
        _name = name;
    }

    /// <summary>The file itself, under the name that it is to have.</summary>
    internal LocalFile File { get; }

    /// <summary>The path of the hidden name; null while there is none.</summary>
    internal string? Name => _name;

    /// <summary>Begins a file.</summary>
    /// <param name="target">Full path that it is to have.</param>
    /// <param name="shownPath">The path that errors name.</param>
    /// <param name="isPrivate">Whether only its owner may use it for now, because it is to get the rights of another one.</param>
    /// <param name="canHaveNoName">Whether a file without a name is tried.</param>
    /// <param name="prepare">Gives a file of this sort what it must have; called with an empty file.</param>
    /// <param name="isOrdinary">Whether it must have no holes on Windows and be neither compressed nor encrypted there.</param>
    internal static IncompleteFile Create(string target, string shownPath, bool isPrivate, bool canHaveNoName, Action<LocalFile, string?> prepare, bool isOrdinary = false)
    {
        string folder = Path.GetDirectoryName(target) ?? throw new IOException($"{target}: this is not a file's path.");
        IncompleteFile? file = canHaveNoName ? TryWithoutName(folder, target, shownPath, isPrivate, isOrdinary, prepare) : null;
        if (file is not null)
        {
            return file;
        }

        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{shownPath}: the folder {folder} does not exist.");
        }

        for (int attempt = 1; ; attempt++)
        {
            file = WithName(folder, target, shownPath, isPrivate, isOrdinary);
            try
            {
                if (attempt == Attempts || file.TryOwn())
                {
                    prepare(file.File, file.Name);
                    return file;
                }

                file.Dispose(); // Somebody who sweeps was faster than the lock.
            }
            catch
            {
                file.Dispose();
                throw;
            }
        }
    }

    /// <summary>Gives the file its name, where nothing may be yet.</summary>
    /// <returns>Whether it has it; false if something is there.</returns>
    internal bool TryMoveToNew()
    {
        if (_name is null)
        {
            Disown(); // Nobody can find it, and whoever opens it by its name is to find no lock.
            int error = FileNames.TryLink(File.Handle, _target);
            return error == 0 || (error == LibC.ErrorExists ? false : throw Failed("get its name", error));
        }

        switch (FileNames.TryRename(_name, _target, LibC.NoReplace))
        {
            case 0:
                break;
            case LibC.ErrorExists:
                return false;
            default:
                if (OperatingSystemInfo.IsWindows && WindowsFile.TryRename(File.Handle, _target, replaces: false) is int result)
                {
                    if (result == 0)
                    {
                        break;
                    }

                    if (result is WindowsFile.ErrorAlreadyExists or WindowsFile.ErrorFileExists)
                    {
                        return false;
                    }
                }

                CloseOnWindows();
                if (System.IO.File.Exists(_target) || Directory.Exists(_target))
                {
                    return false;
                }

                ByName(() => System.IO.File.Move(_name, _target));
                break;
        }

        Done();
        return true;
    }

    /// <summary>Puts the file in the place of another one.</summary>
    /// <param name="isExpected">Whether what is at a path is what is to be replaced.</param>
    /// <exception cref="IOException">Something else has come to be there; it is kept.</exception>
    internal void MoveOver(Func<string, bool> isExpected)
    {
        if (_name is null)
        {
            string name = Path.Combine(Path.GetDirectoryName(_target)!, IncompleteName.For(Path.GetFileName(_target)));
            _ = LibC.LockFile(File.Handle, LibC.LockShared); // Or whoever sweeps now would take it for abandoned; an attempt at the final name ended the lock.
            IncompleteFiles.Add(name);
            int error = FileNames.TryLink(File.Handle, name);
            if (error != 0)
            {
                IncompleteFiles.Remove(name);
                throw Failed("get a name", error);
            }

            _name = name;
        }

        if (TryExchange(_name, isExpected))
        {
            return;
        }

        if (!isExpected(_target))
        {
            throw Changed();
        }

        // By its handle nothing can be moved that is not this file, and the old one stays held until it has lost its name.
        if (!OperatingSystemInfo.IsWindows || Patience.ForRenaming.Try(() => WindowsFile.TryRename(File.Handle, _target, replaces: true), MayPass) != 0)
        {
            CloseOnWindows();
            ByName(ReplaceByName);
        }

        Done();
    }

    /// <summary>
    /// Windows flushes no folders, but with a file all that the file system's journal says up to then, of which its new name is a part. Where the
    /// file had to be closed for that, the journal reaches the disk later, and in its order.
    /// </summary>
    internal void FlushName()
    {
        if (OperatingSystemInfo.IsWindows && !File.Handle.IsClosed)
        {
            WindowsFile.TryFlush(File.Handle);
        }
    }

    /// <summary>Closes the file, and removes it unless it has got its name.</summary>
    public void Dispose()
    {
        Disown();
        File.Dispose();
        if (_name is not null)
        {
            System.IO.File.Delete(_name);
            Done();
        }
    }

    /// <summary>Both names are exchanged at once, and only then is looked at what was there: nothing can come between that is not seen.</summary>
    /// <returns>Whether that was done; false where the host cannot do it.</returns>
    private bool TryExchange(string name, Func<string, bool> isExpected)
    {
        IncompleteFiles.Remove(name); // For a moment it is the name of what another program may have put there.
        if (FileNames.TryRename(name, _target, LibC.Exchange) != 0)
        {
            IncompleteFiles.Add(name);
            return false;
        }

        if (isExpected(name))
        {
            System.IO.File.Delete(name);
            _name = null;
            Disown();
            return true;
        }

        if (FileNames.TryRename(name, _target, LibC.Exchange) != 0)
        {
            _name = null;
            throw new IOException($"{File.Path}: another program put something else there just now, which is now called {name}.");
        }

        IncompleteFiles.Add(name);
        throw Changed();
    }

    private void Done()
    {
        Disown();
        IncompleteFiles.Remove(_name!);
        _name = null;
    }

    private void ReplaceByName()
    {
#if NET
        if (!OperatingSystemInfo.IsWindows)
        {
            System.IO.File.Move(_name!, _target, overwrite: true);
            return;
        }
#endif
        System.IO.File.Replace(_name!, _target, null);
    }

    /// <summary>For file systems that know no other way, and older Windows. There the file is closed first, and a scanner may have it open now.</summary>
    private void ByName(Action move)
    {
        if (!OperatingSystemInfo.IsWindows)
        {
            move();
            return;
        }

        Exception? failure = null;
        int error = Patience.ForRenaming.Try(
            () =>
            {
                try
                {
                    move();
                    return 0;
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    failure = e;
                    return e is UnauthorizedAccessException ? WindowsFile.ErrorAccessDenied : e.HResult & 0xffff;
                }
            },
            MayPass);
        if (error != 0)
        {
            throw ImageSharing.IsConflict(error)
                ? new Qcow2Exception(Qcow2ErrorCode.ImageLocked, ImageLock.ReplacingRefused + WindowsFileUsers.Describe(_target), failure).At(File.Path)
                : Failed("take its place", error);
        }
    }

    /// <summary>Windows says of a file that is open that access to it is denied, where it is to be replaced.</summary>
    private static bool MayPass(int error) => ImageSharing.IsConflict(error) || error == WindowsFile.ErrorAccessDenied;

    private void CloseOnWindows()
    {
        if (OperatingSystemInfo.IsWindows)
        {
            File.Dispose();
        }
    }

    private IOException Changed() => new($"{File.Path}: another program changed what is there just now. That was left as it is, and nothing was written.");

    private IOException Failed(string what, int error)
        => new($"{File.Path}: the new file is complete, but could not {what} ({new System.ComponentModel.Win32Exception(error).Message}). What was there is left as it was.", error);

    private static IncompleteFile? TryWithoutName(string folder, string target, string shownPath, bool isPrivate, bool isOrdinary, Action<LocalFile, string?> prepare)
    {
        // The first one shows that such a file can get a name here: where it cannot, that must not be found after hours.
        using (LocalFile? trial = OpenWithoutName(folder, shownPath, isOrdinary, OwnerOnly))
        {
            if (trial is null)
            {
                return null;
            }

            prepare(trial, null);
            string name = Path.Combine(folder, IncompleteName.For(""));
            _ = LibC.LockFile(trial.Handle, LibC.LockShared);
            IncompleteFiles.Add(name);
            int error = FileNames.TryLink(trial.Handle, name);
            if (error == 0)
            {
                System.IO.File.Delete(name);
            }

            IncompleteFiles.Remove(name);
            if (error != 0)
            {
                return null;
            }
        }

        LocalFile? file = OpenWithoutName(folder, shownPath, isOrdinary, isPrivate ? OwnerOnly : AsNewFile);
        if (file is null)
        {
            return null;
        }

        try
        {
            _ = LibC.LockFile(file.Handle, LibC.LockShared); // For the moment in which it has a hidden name.
            prepare(file, null);
            return new IncompleteFile(file, target, null);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static unsafe LocalFile? OpenWithoutName(string folder, string shownPath, bool isOrdinary, uint mode)
    {
        if (!LibC.IsLinux || !Environment.Is64BitProcess || !PositionalFile.CanOwn)
        {
            return null;
        }

        fixed (byte* path = Encoding.UTF8.GetBytes(folder + "\0"))
        {
            int descriptor = LibC.OpenOrCreate(path, LibC.OpenWithoutName, mode);
            return descriptor < 0 ? null : LocalFile.Own(shownPath, new SafeFileHandle((IntPtr)descriptor, ownsHandle: true), isOrdinary);
        }
    }

    private static IncompleteFile WithName(string folder, string target, string shownPath, bool isPrivate, bool isOrdinary)
    {
        string name = Path.Combine(folder, IncompleteName.For(Path.GetFileName(target)));
        IncompleteFiles.Add(name);
        try
        {
            return new IncompleteFile(LocalFile.CreateNew(name, shownPath, isPrivate, isOrdinary), target, name);
        }
        catch (UnauthorizedAccessException e)
        {
            IncompleteFiles.Remove(name);
            throw new UnauthorizedAccessException($"{shownPath}: no file can be made in the folder {folder}: this user may not write there.", e);
        }
        catch (IOException e) when (HostError.OfNewFile(e, name, shownPath) is IOException described)
        {
            IncompleteFiles.Remove(name);
            throw described;
        }
        catch
        {
            IncompleteFiles.Remove(name);
            throw;
        }
    }

    /// <summary>
    /// Takes the lock that tells that somebody writes the file: a shared one, which disturbs no reader in the moment in which the file has its
    /// name already. Where the host has no such locks, nobody deletes what seems to have no owner.
    /// </summary>
    private bool TryOwn()
        => OperatingSystemInfo.IsWindows
            || (LibC.LockFile(File.Handle, LibC.LockShared) == 0
                ? FileStatus.OfLink(_name!) is not null
                : Marshal.GetLastWin32Error() != LibC.ErrorWouldBlock);

    /// <summary>Closing the file does that too, but for a child process that was just being started, which has the same open file until it becomes another program.</summary>
    private void Disown()
    {
        if (!OperatingSystemInfo.IsWindows && !File.Handle.IsClosed)
        {
            _ = LibC.LockFile(File.Handle, LibC.UnlockFile);
        }
    }
}
