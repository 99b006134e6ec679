namespace Qcow2.Engine.Tests;

/// <summary>A file system of its own in a file, mounted while a test runs.</summary>
internal sealed class LoopFileSystem : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qcow2-test-").FullName;

    private LoopFileSystem(string kind, long size)
    {
        string file = System.IO.Path.Combine(_folder, "disk");
        Directory.CreateDirectory(Path);
        using (FileStream stream = System.IO.File.Create(file))
        {
            stream.SetLength(size);
        }

        try
        {
            Shell.Run($"mkfs.{kind}", "-q", file);
            Shell.Run("mount", "-o", "loop", file, Path);
        }
        catch
        {
            Directory.Delete(_folder, recursive: true);
            throw;
        }
    }

    /// <summary>Where it is mounted.</summary>
    internal string Path => System.IO.Path.Combine(_folder, "mounted");

    /// <summary>Bytes that are taken on it, once everything is on its disk.</summary>
    internal long UsedBytes
    {
        get
        {
            Shell.Run("sync", "-f", Path);
            var drive = new DriveInfo(Path);
            return drive.TotalSize - drive.TotalFreeSpace;
        }
    }

    /// <summary>Makes one that shares extents, as small as such a file system can be.</summary>
    internal static LoopFileSystem Sharing(string kind) => new(kind, kind == "xfs" ? 304L << 20 : 144L << 20);

    /// <summary>Makes one that does not.</summary>
    internal static LoopFileSystem Plain() => new("ext4", 64L << 20);

    internal string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
        Shell.Run("umount", "--lazy", Path); // A test that failed may have left a file open.
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>A test over file systems that share extents between files.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SharingFileSystemTheoryAttribute : TheoryAttribute
{
    public SharingFileSystemTheoryAttribute()
    {
        if (!OperatingSystem.IsLinux() || Environment.UserName != "root" || !File.Exists("/dev/loop-control") || !Shell.Has("mount", "umount", "mkfs.xfs", "mkfs.btrfs", "mkfs.ext4"))
        {
            Skip = "It needs Linux, root, loop devices, mkfs.xfs (xfsprogs) and mkfs.btrfs (btrfs-progs).";
        }
        else if (Kinds.Any(kind => !Knows(kind)))
        {
            Skip = "It needs a kernel that knows XFS and Btrfs.";
        }
    }

    internal static string[] Kinds { get; } = ["xfs", "btrfs"];

    /// <summary>A kernel may know it without having loaded it.</summary>
    private static bool Knows(string kind)
        => File.ReadAllLines("/proc/filesystems").Any(line => line.EndsWith("\t" + kind, StringComparison.Ordinal))
            || (Shell.Has("modprobe") && Record.Exception(() => Shell.Run("modprobe", kind)) is null);
}
