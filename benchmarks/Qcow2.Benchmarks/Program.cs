using Qcow2.Benchmarks;
using Qcow2.Benchmarks.Codecs;

const string Usage = """
    qcow2-benchmarks convert SOURCE DESTINATION   an image to a raw file, which is replaced
    qcow2-benchmarks convert-qcow2 SOURCE DESTINATION [deflate|zstd] [THREADS]
                                                  an image, or a raw disk, to a qcow2 image, compressed or not
    qcow2-benchmarks convert-to LAYOUT SOURCE DESTINATION
                                                  any disk, by its mark or else raw, to raw, qcow2, vhdx, vhd, vdi, vmdk or stream
    qcow2-benchmarks measure IMAGE                what a qcow2 image of its disk would take, as qemu-img measure prints it
    qcow2-benchmarks map IMAGE                    extents, as JSON that equals qemu-img map's
    qcow2-benchmarks check IMAGE                  checks an image, and prints the numbers that qemu-img check prints
    qcow2-benchmarks compare IMAGE OTHER          two disks, as qemu-img compare does; what is called .raw is raw
    qcow2-benchmarks info IMAGE                   what an image's metadata says
    qcow2-benchmarks info-many FOLDER             the same for every image of a folder, in one process
    qcow2-benchmarks open-many FOLDER             opens every image of a folder, with its chain, and reads its first sector
    qcow2-benchmarks make-sparse IMAGE            a 1 TiB image with 100,000 scattered clusters
    qcow2-benchmarks write-scattered IMAGE        10,000 writes and reads of 4 KiB, 20 callers, in a fresh image
    qcow2-benchmarks write-random IMAGE           the same at random offsets
    qcow2-benchmarks write-in-place IMAGE         the same in an image that is there and full
    qcow2-benchmarks write-sequential IMAGE       1,024 writes of 1 MiB, one caller, in a fresh image
    qcow2-benchmarks snapshot-create IMAGE NAME   an internal snapshot
    qcow2-benchmarks snapshot-apply IMAGE NAME
    qcow2-benchmarks snapshot-delete IMAGE NAME
    qcow2-benchmarks make-expected FILE FILE      what write-scattered and write-sequential leave, as raw disks
    qcow2-benchmarks merge OVERLAY                an overlay into its backing file
    qcow2-benchmarks rebase OVERLAY BASE          an overlay on another qcow2 image; '' for none
    qcow2-benchmarks codecs DISK [PART-OF-A-NAME] [ROUNDS]
                                                  codecs on one core, ours beside others, on clusters of any disk
    qcow2-benchmarks serve-nbd IMAGE SOCKET [CERTIFICATES]
                                                  serves an image on a Unix socket until the last client has left; through TLS with a folder of server-cert.pem and server-key.pem
    qcow2-benchmarks report RESULTS README        medians, into the README's table
    qcow2-benchmarks report-writing RESULTS README
    qcow2-benchmarks report-chains RESULTS README
    qcow2-benchmarks report-session RESULTS README
    qcow2-benchmarks report-formats RESULTS README
    """;

switch (args)
{
    case ["convert", string source, string destination]:
        ReadingCommands.Convert(source, destination);
        return 0;
    case ["convert-qcow2", string source, string destination, .. string[] how]:
        ConversionCommands.ToQcow2(source, destination, how);
        return 0;
    case ["convert-to", string layout, string source, string destination]:
        ConversionCommands.To(layout, source, destination);
        return 0;
    case ["measure", string image]:
        ConversionCommands.Measure(image, Console.Out);
        return 0;
    case ["map", string image]:
        ReadingCommands.Map(image, Console.OpenStandardOutput());
        return 0;
    case ["check", string image]:
        ReadingCommands.Check(image, Console.Out);
        return 0;
    case ["compare", string image, string other]:
        return CompareCommand.Compare(image, other, Console.Out);
    case ["info", string image]:
        ReadingCommands.Info(image, Console.Out);
        return 0;
    case ["info-many", string folder]:
        ReadingCommands.InfoMany(folder, Console.Out);
        return 0;
    case ["open-many", string folder]:
        ReadingCommands.OpenMany(folder, Console.Out);
        return 0;
    case ["make-sparse", string image]:
        SparseImage.Write(image);
        return 0;
    case ["write-scattered", string image]:
        WritingCommands.Scattered(image, Console.Out);
        return 0;
    case ["write-random", string image]:
        WritingCommands.Random(image, Console.Out);
        return 0;
    case ["write-in-place", string image]:
        WritingCommands.ScatteredInPlace(image, Console.Out);
        return 0;
    case ["write-sequential", string image]:
        WritingCommands.Sequential(image, Console.Out);
        return 0;
    case ["snapshot-create", string image, string name]:
        SnapshotCommands.Create(image, name);
        return 0;
    case ["snapshot-apply", string image, string name]:
        SnapshotCommands.Apply(image, name);
        return 0;
    case ["snapshot-delete", string image, string name]:
        SnapshotCommands.Delete(image, name);
        return 0;
    case ["make-expected", string scattered, string sequential]:
        WritingCommands.MakeExpected(scattered, sequential);
        return 0;
    case ["merge", string image]:
        ChainCommands.Merge(image);
        return 0;
    case ["rebase", string image, string backing]:
        ChainCommands.Rebase(image, backing);
        return 0;
    case ["codecs", string disk, .. string[] which]:
        CodecCommand.Run(disk, which.ElementAtOrDefault(0) ?? "", which.ElementAtOrDefault(1) ?? "", Console.Out);
        return 0;
    case ["serve-nbd", string image, string socket, .. string[] certificates]:
        NbdCommands.Serve(image, socket, certificates.ElementAtOrDefault(0));
        return 0;
    case ["report-chains", string results, string readme]:
        Report.Write(results, readme, "chains");
        return 0;
    case ["report-session", string results, string readme]:
        Report.Write(results, readme, "session");
        return 0;
    case ["report-formats", string results, string readme]:
        Report.Write(results, readme, "formats");
        return 0;
    case ["report-writing", string results, string readme]:
        WritingReport.Write(results, readme);
        return 0;
    case ["report", string results, string readme]:
        Report.Write(results, readme);
        return 0;
    default:
        Console.Error.WriteLine(Usage);
        return 2;
}
