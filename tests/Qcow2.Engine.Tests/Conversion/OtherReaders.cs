using System.Diagnostics;
using Qcow2.Engine.Conversion;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>Says whether a new file shows its disk: to us, to qemu-img, to libvhdi, libvmdk and to 7-Zip, as far as they know it and are installed.</summary>
internal static class OtherReaders
{
    /// <summary>Compares what each of them reads. 7-Zip opens no VHDX whose disk has an odd number of sectors, whoever made it (26.02).</summary>
    /// <param name="label">What to say of a failure.</param>
    /// <param name="path">The file.</param>
    /// <param name="layout">What it was made as.</param>
    /// <param name="expected">The disk, in its whole size.</param>
    /// <param name="folder">Where files can be made.</param>
    internal static void AssertShow(string label, string path, BlockCreateOptions layout, byte[] expected, TempFolder folder)
    {
        AssertShownByUs(label, path, layout.FormatName, expected, folder);
        if (QemuImg.IsAvailable && IsKnownToQemu(layout))
        {
            AssertShownByQemu(label, path, DiskFormats.Get(layout.FormatName).RecordedName, expected, folder);
        }

        if (Libvhdi.IsAvailable && layout.FormatName is "vhd" or "vhdx" && expected.Length > 0)
        {
            string output = folder.File("libvhdi.raw");
            Libvhdi.ReadAll(label, path, output);
            ConversionJudge.AssertSame(label + ", by libvhdi", expected, File.ReadAllBytes(output));
        }

        if (Libvmdk.IsAvailable && layout.FormatName == "vmdk" && expected.Length > 0)
        {
            string output = folder.File("libvmdk.raw");
            Libvmdk.ReadAll(label, path, output);
            ConversionJudge.AssertSame(label + ", by libvmdk", expected, File.ReadAllBytes(output));
        }

        if (Shell.Has("7zz") && expected.Length > 0 && !(layout is VhdxCreateOptions vhdx && (expected.Length / vhdx.LogicalSectorSize) % 2 != 0))
        {
            ConversionJudge.AssertSame(label + ", by 7-Zip", expected, ReadBySevenZip(path, layout.FormatName));
        }
    }

    /// <summary>QEMU knows no sectors of 4096 bytes.</summary>
    internal static bool IsKnownToQemu(BlockCreateOptions layout) => layout is not VhdxCreateOptions { LogicalSectorSize: 4096 };

    private static void AssertShownByUs(string label, string path, string format, byte[] expected, TempFolder folder)
    {
        string raw = folder.File("ours.raw");
        using (VirtualDisk disk = DiskFormats.Get(format).Open(path))
        {
            DiskConverter.ConvertToRaw(disk, raw, overwrite: true);
        }

        ConversionJudge.AssertSame(label, expected, File.ReadAllBytes(raw));
        Assert.Empty(DiskFormats.Get(format).ReadInformation(path).Problems);
        if (DiskFormats.Get(format).CanCheck)
        {
            // That a descriptor names other files is information.
            Assert.DoesNotContain(DiskFormats.Get(format).Check(path, new Qcow2CheckOptions { ReadData = true }).Findings, finding => finding.Severity != Qcow2CheckSeverity.Information);
        }

        Assert.Equal(format, DiskFormats.Recognize(path).Format?.Name);
    }

    private static void AssertShownByQemu(string label, string path, string format, byte[] expected, TempFolder folder)
    {
        string raw = folder.File("qemu.raw");
        QemuImg.Run("convert", "-f", format, "-O", "raw", path, raw);
        ConversionJudge.AssertSame(label + ", by qemu-img", expected, File.ReadAllBytes(raw));
        if (format != "vpc")
        {
            ProgramResult check = QemuImg.TryRun("check", "-f", format, path);
            Assert.True(check.ExitCode == 0, $"{label}: {check.Output} {check.Error}");
        }
    }

    private static byte[] ReadBySevenZip(string path, string format)
    {
        using Process process = Process.Start(new ProcessStartInfo("7zz", ["x", "-so", $"-t{format}", path]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        using var output = new MemoryStream();
        process.StandardOutput.BaseStream.CopyTo(output);
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors.Result);
        return output.ToArray();
    }
}
