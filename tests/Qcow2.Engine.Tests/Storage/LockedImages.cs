using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>Images that refer to each other, and who is let in to them. Nothing is ever written.</summary>
public sealed class LockedImages : IDisposable
{
    private readonly TempFolder _folder = new();

    public LockedImages()
    {
        if (!QemuImg.IsAvailable)
        {
            return;
        }

        Create("base.qcow2", "1M");
        Create("overlay.qcow2", "-b", "base.qcow2", "-F", "qcow2");
        Create("sibling.qcow2", "-b", "base.qcow2", "-F", "qcow2");
        Create("split.qcow2", "-o", "data_file=data.raw", "1M");
        _folder.Write("base.raw", new byte[1 << 20]);
        Create("overraw.qcow2", "-b", "base.raw", "-F", "raw");
    }

    public void Dispose() => _folder.Dispose();

    internal ImageLockHolder Hold(string kind, string image) => ImageLockHolder.Start(kind, _folder.Path, image, FormatOf(image));

    internal VirtualDisk HoldOurselves(string image, Qcow2OpenOptions options) => Open(_folder.File(image), options);

    /// <summary>Whether an image is said to be in use, and how.</summary>
    internal ImageLockState StateOf(string image) => Qcow2ImageInfo.Read(_folder.File(image)).LockState;

    /// <summary>Who gets to an image now, as QEMU's tools find it.</summary>
    internal string AskQemu(string image) => Describe(image, QemuOpens(image, "-r"), QemuOpens(image, "-r", "-U"), QemuOpens(image));

    /// <summary>Who gets to an image now, as we find it.</summary>
    internal string AskUs(string image) => Describe(
        image, WeOpen(image, new()), WeOpen(image, new() { ForceShare = true }), WeOpen(image, new() { Writable = true }));

    /// <summary>Who gets to an image now, as a virtual machine finds it.</summary>
    /// <remarks>Tools of QEMU's let anybody write a raw disk while they use it; machines do not, and are what we take after.</remarks>
    internal string AskMachine(string image) => Describe(image, MachineOpens(image, "readonly=on"), null, MachineOpens(image));

    /// <inheritdoc cref="AskUs"/>
    internal string AskUsAsMachine(string image)
        => Describe(image, WeOpen(image, new()), null, WeOpen(image, new() { Writable = true }));

    /// <summary>Takes a lock of QEMU's that no program here can be made to take.</summary>
    internal LocalFile HoldByte(string image, int position)
    {
        var file = LocalFile.OpenRead(_folder.File(image));
        var request = new LibC.FileLock { Type = LibC.ReadLock, Start = position, Length = 1 };
        Assert.Equal(0, LibC.FileControl(file.Handle, LibC.OfdSetLock, ref request));
        return file;
    }

    internal string PathOf(string image) => _folder.File(image);

    internal string Folder => _folder.Path;

    private static string FormatOf(string image) => image.EndsWith(".raw", StringComparison.Ordinal) ? "raw" : "qcow2";

    private static string Describe(string image, bool reads, bool? readsByForce, bool writes)
        => $"{image}: read {reads}, by force {readsByForce}, write {writes}";

    private static VirtualDisk Open(string path, Qcow2OpenOptions options)
        => FormatOf(path) == "raw" ? RawDisk.Open(path, options) : Qcow2Image.Open(path, options);

    private static bool IsLockRefusal(ProgramResult result)
    {
        if (result.ExitCode != 0)
        {
            Assert.True(result.Error.Contains("Is another process using the image", StringComparison.Ordinal), result.Error);
        }

        return result.ExitCode != 0;
    }

    private void Create(string name, params string[] arguments)
        => QemuImg.RunIn(_folder.Path, ["create", "-q", "-f", "qcow2", .. arguments[..^1], .. Last(name, arguments[^1])]);

    /// <summary>The size comes after the name, the value of an option before it.</summary>
    private static string[] Last(string name, string argument) => argument == "1M" ? [name, argument] : [argument, name];

    private bool WeOpen(string image, Qcow2OpenOptions options)
    {
        try
        {
            Open(_folder.File(image), options).Dispose();
            return true;
        }
        catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.ImageLocked)
        {
            return false;
        }
    }

    private bool QemuOpens(string image, params string[] options)
        => !IsLockRefusal(QemuImg.TryRunIoIn(_folder.Path, [.. options, "-f", FormatOf(image), "-c", "read 0 512", image]));

    private bool MachineOpens(string image, params string[] options)
        => !IsLockRefusal(QemuImg.TryRunMachineIn(_folder.Path, ImageLockHolder.MachineArguments(options, image, FormatOf(image))));
}
